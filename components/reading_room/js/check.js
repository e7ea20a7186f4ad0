// The screen check before the first case of a session: our own pattern, after the parts of AAPM TG18-QC.

const PLACES = ["up_left", "up_right", "down_left", "down_right"];
const STEPS = 18;
const gray = (share) => `rgb(${Array(3).fill(Math.round(255 * share)).join()})`;

/** Draw the pattern at `ratio` device pixels a CSS pixel; `spots` say where the two patches lie. */
function drawPattern(canvas, spots) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { alpha: false });
  context.fillStyle = gray(0.2);
  context.fillRect(0, 0, width, height);
  const gap = Math.round(height * 0.05);
  const rampHeight = Math.round(height * 0.2);
  for (let i = 0; i < STEPS; i++) {
    const [from, to] = [i, i + 1].map((n) => gap + Math.round((n * (width - 2 * gap)) / STEPS));
    context.fillStyle = gray(i / (STEPS - 1));
    context.fillRect(from, gap, to - from, rampHeight);
  }
  const smooth = context.createLinearGradient(gap, 0, width - gap, 0);
  for (const [at, share] of [[0, 0], [1, 1]]) smooth.addColorStop(at, gray(share));
  context.fillStyle = smooth;
  context.fillRect(gap, gap + rampHeight, width - 2 * gap, Math.round(rampHeight * 0.6));
  const top = gap + Math.round(rampHeight * 1.6) + gap;
  const side = Math.min(Math.round((width - 3 * gap) / 2), Math.round(height * 0.4));
  for (const [name, ground, patch, at] of [["dark", 0, 0.05, 0], ["bright", 1, 0.95, 1]]) {
    const left = at ? Math.round(width / 2 + gap / 2) : Math.round(width / 2 - gap / 2 - side);
    context.fillStyle = gray(ground);
    context.fillRect(left, top, side, side);
    const place = PLACES.indexOf(spots[name]);
    const small = Math.round(side * 0.22);
    const [x, y] = [place % 2, place >> 1].map((far) => Math.round(side * (far ? 0.64 : 0.14)));
    context.fillStyle = gray(patch);
    context.fillRect(left + x, top + y, small, small);
  }
  const linesTop = top + side + gap;
  const box = Math.min(height - linesTop - gap, Math.round((width - 5 * gap) / 4));
  [["x", 1], ["y", 1], ["x", 2], ["y", 2]].forEach(([axis, step], i) => {
    const left = Math.round(width / 2 - 2 * box - 1.5 * gap) + i * (box + gap);
    context.fillStyle = "#000";
    context.fillRect(left, linesTop, box, box);
    context.fillStyle = "#fff";
    for (let at = 0; at < box; at += 2 * step) {
      if (axis === "x") context.fillRect(left + at, linesTop, Math.min(step, box - at), box);
      else context.fillRect(left, linesTop + at, box, Math.min(step, box - at));
    }
  });
}

/** What this browser says of its screen; the keys are those of the server's `services.sittings`. */
function screenNow() {
  return {
    browser: navigator.userAgent, ratio: Math.round((window.devicePixelRatio || 1) * 1000) / 1000, width: screen.width, height: screen.height,
    inner_width: window.innerWidth, inner_height: window.innerHeight, colour_bits: screen.colorDepth,
  };
}

/** Show the check in `root`; resolves with {seen, screen} once the reader goes on. */
function checkScreen(root) {
  return new Promise((resolve) => {
    const draw = () => PLACES[Math.floor(Math.random() * PLACES.length)];
    const spots = { dark: draw(), bright: draw() };
    const given = {};
    const canvas = el("canvas", { className: "pattern", role: "img", "aria-label": t("check.picture") });
    const go = el("button", { type: "button", className: "main", disabled: true, onclick: finish }, t("check.start"));
    const verdict = el("p", { className: "verdict", role: "alert", hidden: true }, t("check.fail"));
    const again = el("button", { type: "button", className: "main", hidden: true, onclick: () => resolve(checkScreen(root)) }, t("check.again"));
    const ask = (name, choices) => {
      const buttons = choices.map((value) => el("button", {
        type: "button", className: "state", "aria-pressed": "false", "data-value": value, onclick: () => answer(name, value, buttons),
      }, t(`check.${value}`)));
      return el("div", { className: "ask", role: "group", "aria-label": t(`check.${name}`), "data-name": name, "data-right": spots[name] || "yes" },
        el("p", {}, t(`check.${name}`)), el("div", { className: "choices" }, ...buttons));
    };
    function answer(name, value, buttons) {
      given[name] = value;
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.value === value));
      go.disabled = Object.keys(given).length < 4;
      const failed = !go.disabled && Object.values(seen()).includes(false);
      verdict.hidden = again.hidden = !failed;
      go.textContent = t(failed ? "check.anyway" : "check.start");
      go.className = failed ? "quiet" : "main";
    }
    const seen = () => ({ dark: given.dark === spots.dark, bright: given.bright === spots.bright, ramp: given.ramp === "yes", lines: given.lines === "yes" });
    const words = () => {
      const now = screenNow();
      return t("check.screen", { ...now, ratio: now.ratio });
    };
    const told = el("p", { className: "soft" }, words());
    const redraw = () => {
      drawPattern(canvas, spots);
      told.textContent = words();
    };
    function finish() {
      watcher.disconnect();
      resolve({ seen: seen(), screen: screenNow() });
    }
    root.replaceChildren(el("main", { className: "check" },
      canvas,
      el("section", { className: "asks" },
        el("h1", {}, t("check.title")), el("p", { className: "soft" }, t("check.why")),
        ask("dark", [...PLACES, "none"]), ask("bright", [...PLACES, "none"]), ask("ramp", ["yes", "no"]), ask("lines", ["yes", "no"]),
        verdict, el("div", { className: "actions" }, again, go), told)));
    const watcher = new ResizeObserver(redraw);
    watcher.observe(canvas);
    root.querySelector(".state").focus();
  });
}
