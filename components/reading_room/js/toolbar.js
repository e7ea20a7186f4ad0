// The same for mouse, finger and keyboard: everything that keys do with the images stands here once, quietly.

const ICONS = {
  side: "M3 4h6v12H3zM11 4h6v12h-6z",
  single: "M4 4h12v12H4z",
  flicker: "M3 3h10v10H3zM7 15v2h10V7h-2",
  swipe: "M3 4h14v12H3zM10 2v16M7.5 8.5 6 10l1.5 1.5M12.5 8.5 14 10l-1.5 1.5",
  difference: "M4 7h6M7 4v6M10 14h6M16 4 4 16",
  invert: "M10 3a7 7 0 1 0 0 14a7 7 0 1 0 0-14M10 3v14M10 6h4.5M10 9h6.5M10 12h6M10 15h4",
  magnifier: "M8.5 3.5a5 5 0 1 0 0 10a5 5 0 1 0 0-10M12.5 12.5 17 17",
  measure: "M3 10h14M3 7v6M17 7v6M7 8.5v3M10 8.5v3M13 8.5v3",
  swap: "M4 7h11l-3-3M16 13H5l3 3",
  undo: "M4 8h8a4 4 0 0 1 0 8H8M4 8l3-3M4 8l3 3",
  reset: "M15.5 7A6.5 6.5 0 1 0 16.5 10M16 3.5V7h-3.5",
};

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  for (const [key, value] of [["viewBox", "0 0 20 20"], ["aria-hidden", "true"], ["class", "icon"]]) svg.setAttribute(key, value);
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** `act`: what a button does, by name. Returns {root, update(state)}; `state` is what a viewer tells of itself. */
function makeToolbar(viewing, act) {
  const made = {};
  const tool = (name, key, does, face = icon(name)) => {
    const text = t(`tool.${name}`);
    made[name] = el("button", { type: "button", className: "tool", title: key ? `${text} (${key})` : text, "aria-label": text, onclick: does }, face);
    return made[name];
  };
  const modes = viewing.views.map((name) =>
    el("button", { type: "button", className: "tool", title: `${t(`view.${name}`)} (t)`, "aria-label": t(`view.${name}`), "data-view": name, "aria-pressed": "false", onclick: () => act.mode(name) }, icon(name)));
  const views = el("div", { className: "group", role: "group", "aria-label": t("view.label"), hidden: modes.length < 2 }, ...modes);

  const presets = ["standard", "lung", "soft", "bone", "full", "inverted"].map((name, i) =>
    el("button", { type: "button", role: "menuitemradio", "aria-checked": "false", "data-preset": name, onclick: () => (open(false), act.preset(name), act.leaveField()) },
      el("span", {}, t(`window.${name}`)), el("kbd", {}, `⇧${i + 1}`)));
  const menu = el("div", { className: "menu", role: "menu", "aria-label": t("window.label"), hidden: true }, ...presets);
  const chosen = el("span", {});
  const face = el("button", { type: "button", className: "tool wide", title: `${t("window.label")} (w)`, "aria-haspopup": "menu", "aria-expanded": "false", onclick: () => open(menu.hidden) }, chosen);
  function open(on) {
    menu.hidden = !on;
    face.setAttribute("aria-expanded", String(on));
    if (on) (menu.querySelector('[aria-checked="true"]') || presets[0]).focus();
  }
  menu.addEventListener("keydown", (event) => {
    const at = presets.indexOf(event.composedPath()[0]);
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step) presets[(at + step + presets.length) % presets.length].focus();
    else if (event.key === "Escape") {
      open(false);
      act.leaveField();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  menu.addEventListener("focusout", (event) => !menu.contains(event.relatedTarget) && event.relatedTarget !== face && open(false));

  const canSwap = viewing.views.some((name) => ["flicker", "single"].includes(name));
  const root = el("div", { className: "tools", role: "toolbar", "aria-label": t("tool.label") },
    views,
    el("div", { className: "group holds" }, face, menu, tool("invert", "i", act.invert)),
    el("div", { className: "group" },
      ...(canSwap ? [tool("swap", t("key.space"), act.swap)] : []),
      tool("magnifier", "z", act.magnifier), tool("true", "f", act.pixelTrue, el("b", {}, "1:1")),
      ...(viewing.measuring ? [tool("measure", "l", act.measure)] : [])),
    el("div", { className: "group" }, tool("undo", t("key.undo"), act.undo), tool("reset", "r", act.reset), tool("help", "h", act.help, el("b", {}, "?"))));

  // A click leaves the keyboard where it is: on the questions.
  root.addEventListener("mousedown", (event) => event.preventDefault());

  const press = (button, on) => button?.setAttribute("aria-pressed", String(Boolean(on)));
  return {
    root,
    update(state) {
      for (const button of modes) press(button, button.dataset.view === state.mode);
      views.hidden = modes.length < 2 || state.single;
      if (made.swap) made.swap.hidden = state.single || !["side", "single", "flicker"].includes(state.mode);
      chosen.textContent = t(`window.${state.preset}`);
      for (const button of presets) button.setAttribute("aria-checked", String(button.dataset.preset === state.preset));
      press(made.invert, state.invert);
      press(made.magnifier, state.loupe);
      press(made.true, state.true);
      press(made.swap, state.swapped);
    },
    measuring: (on) => press(made.measure, on),
    canUndo: (on) => (made.undo.disabled = !on),
  };
}
