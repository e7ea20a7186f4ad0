// One or two panes: one window for both images, one zoom and place while linked, in the views that the study allows.

const MOST_ZOOM = 40;
const FLICKER_MS = 500; // one cycle a second: far below what troubles photosensitive readers
const LOUPE = { radius: 130, factor: 2.5 }; // CSS pixels
const SETTLE_MS = 400; // a gesture is logged once, when it rests

function makePane(slot) {
  const canvas = el("canvas", { "aria-hidden": "true" });
  const over = el("canvas", { className: "over", "aria-hidden": "true" });
  const letter = el("span", { className: "letter" });
  const readout = el("span", { className: "readout" });
  const cross = el("span", { className: "cross", hidden: true });
  const root = el("section", { className: "pane", "data-pane": slot }, canvas, over, letter, cross, readout);
  return { slot, root, canvas, over, letter, readout, cross };
}

/**
 * `viewing`: {views, view, preset, linked_zoom}. `changed(state)` follows what the tools show; `note(kind, value)` is
 * the log of what was done. A tool is {down, move, up, cancel}, each given {letter, x, y, near}: the image, the place
 * in pixels from its upper left corner and how far ten screen pixels reach; down() returns whether it takes the drag.
 * A layer draws over an image: layer({context, letter, toScreen, ratio}).
 */
function makeViewer(viewing, { changed = () => {}, note = () => {} } = {}) {
  const panes = [makePane("A"), makePane("B")];
  const divider = el("div", { className: "divider", role: "slider", tabIndex: 0, hidden: true, "aria-label": t("view.divider"), "aria-valuemin": 0, "aria-valuemax": 100 });
  const root = el("div", { className: "panes" }, ...panes.map((pane) => pane.root));
  panes[0].root.append(divider);
  const fit = () => ({ zoom: 1, x: 0, y: 0 });
  const view = { centre: 128, width: 256, invert: false, mode: viewing.view, swapped: false, front: "A", playing: false, exact: false, linked: viewing.linked_zoom, share: 0.5, loupe: null };
  const places = { A: fit(), B: fit() };
  const layers = [];
  let pair = null; // { width, height, display, unit, white, letters, sheet }
  let presets = [];
  let tool = null;
  let asked = 0;
  let beat = 0;
  let settling = new Map();

  const single = () => pair && pair.letters.length === 1;
  const mode = () => (single() ? "single" : view.mode);
  const paneOf = (slot) => panes.find((pane) => pane.slot === slot);
  const placeOf = (pane) => (view.linked || mode() !== "side" ? places.A : places[pane.slot]);
  const ratio = () => window.devicePixelRatio || 1;
  const fitOf = (pane) => pair.unit * Math.min(pane.canvas.width / pair.display.width, pane.canvas.height / pair.display.height);
  const least = (pane) => Math.min(1, pair.unit / fitOf(pane));
  const isTrue = (pane) => Math.abs(scaleOf(pane) - pair.unit) < 1e-6;
  function scaleOf(pane) {
    const scale = fitOf(pane) * placeOf(pane).zoom;
    return Math.abs(scale - Math.round(scale)) < 1e-6 ? Math.round(scale) : scale;
  }
  const other = (letter) => (letter === "A" ? "B" : "A");
  const shownIn = (pane) => {
    if (single()) return pair.letters[0];
    if (mode() === "side") return view.swapped ? other(pane.slot) : pane.slot;
    return mode() === "difference" ? "difference" : view.front;
  };
  const letterAt = (pane, clientX) => {
    if (mode() !== "swipe") return shownIn(pane);
    const box = pane.root.getBoundingClientRect();
    return clientX - box.left < view.share * box.width ? "A" : "B";
  };
  const shownMode = () => [...panes].filter((pane) => pane.slot === "A" || mode() === "side");

  /** Where image pixels land on a pane's canvas. */
  function frame(pane) {
    const scale = scaleOf(pane);
    const place = placeOf(pane);
    let left = pane.canvas.width / 2 - (pair.width / 2 + place.x) * scale;
    let top = pane.canvas.height / 2 - (pair.height / 2 + place.y) * scale;
    if (Number.isInteger(scale)) [left, top] = [Math.round(left), Math.round(top)];
    return { scale, left, top };
  }

  function put(context, name, { scale, left, top }) {
    // From four screen pixels per displayed pixel on, and on request, every pixel is a square of its own.
    context.imageSmoothingEnabled = !view.exact && scale < 4 * pair.unit && scale !== 1;
    context.imageSmoothingQuality = "high";
    context.setTransform(scale, 0, 0, scale, left, top);
    context.drawImage(pair.sheet(name, view), 0, 0);
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  /** An image's own side of the divider. */
  function clipTo(context, { canvas }, letter) {
    const edge = Math.round(view.share * canvas.width);
    context.beginPath();
    context.rect(letter === "A" ? 0 : edge, 0, letter === "A" ? edge : canvas.width - edge, canvas.height);
    context.clip();
  }

  function drawImage(pane) {
    const { canvas } = pane;
    const context = canvas.getContext("2d", { alpha: false });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (mode() !== "swipe") return put(context, shownIn(pane), frame(pane));
    for (const letter of ["A", "B"]) {
      context.save();
      clipTo(context, pane, letter);
      put(context, letter, frame(pane));
      context.restore();
    }
  }

  function drawOver(pane) {
    const context = pane.over.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, pane.over.width, pane.over.height);
    const { scale, left, top } = frame(pane);
    const toScreen = (x, y) => [left + x * scale, top + y * scale];
    const letters = mode() === "swipe" ? ["A", "B"] : mode() === "difference" ? [] : [shownIn(pane)];
    for (const letter of letters) {
      context.save();
      if (letters.length > 1) clipTo(context, pane, letter);
      for (const layer of layers) layer({ context, letter, toScreen, ratio: ratio() });
      context.restore();
    }
    if (view.loupe) drawLoupe(pane, context, { scale, left, top });
  }

  /** A round glass over the same place of the image in every pane. */
  function drawLoupe(pane, context, { scale, left, top }) {
    const { x, y, lift } = view.loupe;
    const [cx, cy] = [left + x * scale, top + y * scale - lift * ratio()];
    const radius = LOUPE.radius * ratio();
    const zoomed = scale * LOUPE.factor;
    const letter = mode() === "swipe" ? view.loupe.letter : shownIn(pane);
    context.save();
    context.beginPath();
    context.arc(cx, cy, radius, 0, 2 * Math.PI);
    context.clip();
    context.fillStyle = "#000";
    context.fillRect(cx - radius, cy - radius, 2 * radius, 2 * radius);
    put(context, letter, { scale: zoomed, left: cx - x * zoomed, top: cy - y * zoomed });
    context.restore();
    context.strokeStyle = "rgb(241 243 246 / 70%)";
    context.lineWidth = 1.5 * ratio();
    context.beginPath();
    context.arc(cx, cy, radius, 0, 2 * Math.PI);
    context.stroke();
  }

  function draw() {
    asked = 0;
    paneOf("B").root.hidden = mode() !== "side";
    divider.hidden = mode() !== "swipe" || !pair;
    for (const { root: box, canvas, over } of panes) {
      const [width, height] = [Math.round(box.clientWidth * ratio()), Math.round(box.clientHeight * ratio())];
      for (const sheet of [canvas, over]) if (sheet.width !== width || sheet.height !== height) Object.assign(sheet, { width, height });
    }
    root.classList.toggle("swapped", Boolean(pair) && mode() === "side" && view.swapped);
    if (!pair) {
      for (const { canvas, over } of panes) for (const sheet of [canvas, over]) sheet.getContext("2d").clearRect(0, 0, sheet.width, sheet.height);
      return;
    }
    for (const pane of shownMode()) {
      if (!pane.canvas.width || !pane.canvas.height) continue;
      drawImage(pane);
      drawOver(pane);
      label(pane);
    }
    divider.style.left = `${100 * view.share}%`;
    divider.setAttribute("aria-valuenow", Math.round(100 * view.share));
  }

  function label(pane) {
    const chosen = now();
    pane.letter.textContent = { swipe: "A | B", difference: "B − A" }[mode()] || (single() ? "" : shownIn(pane));
    const parts = [chosen ? t(`window.${chosen.name}`) : "", `W ${Math.round(view.width)}`, `L ${Math.round(view.centre)}`, `${Math.round((scaleOf(pane) / pair.unit) * 100)} %`];
    if (view.exact) parts.push(t("readout.exact"));
    if (!view.linked && mode() === "side") parts.push(t("readout.unlinked"));
    pane.readout.textContent = parts.filter(Boolean).join(" · ");
  }

  const same = (p) => p.centre === view.centre && p.width === view.width && p.invert === view.invert;
  const now = () => presets.find(same);

  function redraw() {
    if (!asked) asked = requestAnimationFrame(draw);
  }

  /** Log what a gesture has led to, once it rests. */
  function settled(kind, value) {
    clearTimeout(settling.get(kind)?.timer);
    const entry = { value, timer: setTimeout(() => (settling.delete(kind), note(kind, value())), SETTLE_MS) };
    settling.set(kind, entry);
  }
  function settleAll() {
    for (const [kind, { timer, value }] of settling) {
      clearTimeout(timer);
      note(kind, value());
    }
    settling = new Map();
  }

  const round = (number) => Math.round(number * 100) / 100;
  const windowNow = () => ({ centre: Math.round(view.centre), width: Math.round(view.width), invert: view.invert, preset: now()?.name || "own" });
  const zoomNow = (pane) => () => (pair ? { scale: round(scaleOf(pane)), x: Math.round(placeOf(pane).x), y: Math.round(placeOf(pane).y) } : {});

  function setWindow(values, log = true) {
    if (!pair) return;
    Object.assign(view, values);
    view.width = Math.min(Math.max(view.width, 2), 2 * (pair.white + 1));
    view.centre = Math.min(Math.max(view.centre, -pair.white / 2), 1.5 * pair.white);
    if (log) settled("window", windowNow);
    told();
  }

  function setPlace(pane, values, log = true) {
    if (!pair) return;
    const place = Object.assign(placeOf(pane), values);
    place.zoom = Math.min(Math.max(place.zoom, least(pane)), MOST_ZOOM);
    const reach = place.zoom > 1 ? 0.5 : 0;
    place.x = Math.min(Math.max(place.x, -reach * pair.width), reach * pair.width);
    place.y = Math.min(Math.max(place.y, -reach * pair.height), reach * pair.height);
    if (log) settled("zoom", zoomNow(pane));
    told();
  }

  function told() {
    redraw();
    changed({ ...view, mode: mode(), single: Boolean(single()), preset: now()?.name || "own", true: pair ? isTrue(panes[0]) : false });
  }

  /** The image place under a pointer, in pixels from the upper left corner. */
  function pointAt(pane, event) {
    const box = pane.root.getBoundingClientRect();
    const { scale, left, top } = frame(pane);
    return {
      x: ((event.clientX - box.left) * ratio() - left) / scale,
      y: ((event.clientY - box.top) * ratio() - top) / scale,
      letter: letterAt(pane, event.clientX), near: (10 * ratio()) / scale,
    };
  }

  function zoomAt(pane, factor, point) {
    const place = placeOf(pane);
    const zoom = Math.min(Math.max(place.zoom * factor, least(pane)), MOST_ZOOM);
    const share = place.zoom / zoom;
    const [px, py] = point ? [point.x - pair.width / 2, point.y - pair.height / 2] : [place.x, place.y];
    setPlace(pane, { zoom, x: px - (px - place.x) * share, y: py - (py - place.y) * share });
  }

  function pan(pane, dx, dy) {
    const scale = scaleOf(pane) / ratio();
    const place = placeOf(pane);
    setPlace(pane, { x: place.x - dx / scale, y: place.y - dy / scale });
  }

  function hover(pane, event) {
    const beside = panes.find((p) => p !== pane);
    beside.cross.hidden = !event || !pair || mode() !== "side" || !view.linked;
    if (event) {
      const box = pane.root.getBoundingClientRect();
      beside.cross.style.translate = `${event.clientX - box.left}px ${event.clientY - box.top}px`;
    }
    if (event && view.loupe && pair) {
      view.loupe = { ...pointAt(pane, event), lift: 0 };
      redraw();
    }
  }

  for (const pane of panes) {
    watchPointers(pane.root, {
      ready: () => pair !== null,
      start(event) {
        const box = pane.root.getBoundingClientRect();
        const reach = event.pointerType === "touch" ? 28 : 12;
        if (mode() === "swipe" && Math.abs(event.clientX - box.left - view.share * box.width) < reach) return "divider";
        return tool && mode() !== "difference" && tool.down(pointAt(pane, event)) ? "tool" : null;
      },
      tool(phase, event) {
        if (phase !== "down") tool?.[phase]?.(pointAt(pane, event));
        redraw();
      },
      divider(event) {
        const box = pane.root.getBoundingClientRect();
        moveDivider((event.clientX - box.left) / box.width);
      },
      drag(dx, dy) {
        const step = (pair.white + 1) / 512;
        setWindow({ width: view.width + dx * step, centre: view.centre + dy * step });
      },
      pan: (dx, dy) => pan(pane, dx, dy),
      pinch: (factor, event) => zoomAt(pane, factor, pointAt(pane, event)),
      hover: (event) => hover(pane, event),
      press(event) {
        view.loupe = event ? { ...pointAt(pane, event), lift: 110 } : null;
        if (event) settled("magnifier", () => ({ on: true }));
        told();
      },
      fit: () => setPlace(pane, fit()),
    });
  }

  function moveDivider(share) {
    view.share = Math.min(Math.max(share, 0.02), 0.98);
    settled("swipe", () => ({ share: round(view.share) }));
    redraw();
  }
  divider.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
    if (!step || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    moveDivider(view.share + step);
  });

  function play(on) {
    clearInterval(beat);
    view.playing = on;
    if (on) beat = setInterval(() => ((view.front = other(view.front)), redraw()), FLICKER_MS);
    told();
  }

  function setMode(name) {
    if (!viewing.views.includes(name) || single()) return;
    view.mode = name;
    if (name !== "swipe" && name !== "difference") view.swapped = false;
    if (pair) note("view", { view: name });
    play(name === "flicker" && !window.matchMedia("(prefers-reduced-motion: reduce)").matches);
  }

  /** Swap in place (side by side), the other image (single), stop and go on (flicker). */
  function swap() {
    if (!pair || single()) return;
    if (mode() === "flicker") {
      play(!view.playing);
      return note("flicker", { playing: view.playing });
    }
    if (mode() === "side" && viewing.views.includes("flicker")) view.swapped = !view.swapped;
    else if (mode() === "single") view.front = other(view.front);
    else return;
    note("flicker", mode() === "side" ? { swapped: view.swapped } : { front: view.front });
    told();
  }

  function preset(name) {
    const chosen = presets.find((p) => p.name === name);
    if (chosen) setWindow({ centre: chosen.centre, width: chosen.width, invert: chosen.invert });
  }

  function reset(log = true) {
    const chosen = presets.find((p) => p.name === viewing.preset) || presets[0];
    Object.assign(places, { A: fit(), B: fit() });
    Object.assign(view, { swapped: false, front: "A", exact: false, linked: viewing.linked_zoom, share: 0.5, loupe: null });
    if (log) note("reset", {});
    setWindow({ centre: chosen.centre, width: chosen.width, invert: chosen.invert }, false);
  }

  const observer = new ResizeObserver(redraw);
  observer.observe(root);

  return {
    root,
    /** Show a pair; view, window and zoom start anew, since a case must not inherit how another was looked at. */
    show(pixels, values, found, sheet) {
      settleAll();
      const { width, height, display } = pixels;
      // Displayed pixels an image pixel takes: 1, but where the arms of a study differ in native size.
      const unit = Math.min(display.width / width, display.height / height);
      pair = { ...pixels, unit, letters: Object.keys(values), sheet };
      presets = found;
      view.mode = viewing.view;
      play(view.mode === "flicker" && !single() && !window.matchMedia("(prefers-reduced-motion: reduce)").matches);
      reset(false);
    },
    clear() {
      settleAll();
      play(false);
      pair = null;
      redraw();
    },
    settleAll,
    reset: () => pair && reset(),
    preset,
    presets: () => presets,
    nextPreset() {
      if (!pair) return;
      const at = presets.findIndex(same);
      preset(presets[(at + 1) % presets.length].name);
    },
    setMode,
    nextMode: () => setMode(viewing.views[(viewing.views.indexOf(view.mode) + 1) % viewing.views.length]),
    swap,
    invert: () => setWindow({ invert: !view.invert }),
    exact: () => ((view.exact = !view.exact), note("exact", { on: view.exact }), told()),
    link() {
      if (!pair || mode() !== "side") return;
      view.linked = !view.linked;
      places.B = { ...places.A };
      note("link", { on: view.linked });
      told();
    },
    magnifier(on = !view.loupe) {
      if (!pair) return;
      const place = places.A;
      view.loupe = on ? { x: pair.width / 2 + place.x, y: pair.height / 2 + place.y, letter: "A", lift: 0 } : null;
      note("magnifier", { on });
      told();
    },
    /** One screen pixel a displayed pixel, and back to the whole image. */
    pixelTrue() {
      if (!pair) return;
      const zoom = isTrue(panes[0]) ? 1 : pair.unit / fitOf(panes[0]);
      for (const pane of shownMode()) setPlace(pane, { zoom });
    },
    zoom: (factor) => pair && shownMode().slice(0, view.linked ? 1 : 2).forEach((pane) => zoomAt(pane, factor)),
    pan(dx, dy) {
      if (!pair) return;
      for (const pane of shownMode().slice(0, view.linked ? 1 : 2)) {
        const place = placeOf(pane);
        setPlace(pane, { x: place.x + (dx * pair.width) / (10 * place.zoom), y: place.y + (dy * pair.height) / (10 * place.zoom) });
      }
    },
    level: (steps) => pair && setWindow({ centre: view.centre + (steps * (pair.white + 1)) / 64 }),
    contrast: (steps) => pair && setWindow({ width: view.width * Math.pow(1.12, -steps) }),
    setTool(chosen) {
      tool = chosen;
      root.classList.toggle("drawing", Boolean(chosen));
      redraw();
    },
    addLayer(layer) {
      layers.push(layer);
      redraw();
      return () => layers.splice(layers.indexOf(layer), 1);
    },
    redraw,
    stop() {
      settleAll();
      clearInterval(beat);
      observer.disconnect();
    },
  };
}
