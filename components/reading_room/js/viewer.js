// Two linked panes: one window, one zoom, one place for both images.

function makePane(side) {
  const canvas = el("canvas", { "aria-hidden": "true" });
  const letter = el("span", { className: "letter" });
  const readout = el("span", { className: "readout" });
  const cross = el("span", { className: "cross", hidden: true });
  const root = el("section", { className: "pane", "data-pane": side }, canvas, letter, cross, readout);
  return { side, root, canvas, letter, readout, cross, sheet: document.createElement("canvas") };
}

function makeViewer() {
  const panes = [makePane("A"), makePane("B")];
  const root = el("div", { className: "panes" }, ...panes.map((pane) => pane.root));
  const view = { centre: 128, width: 256, invert: false, zoom: 1, x: 0, y: 0, swapped: false, exact: false };
  let pair = null; // { width, height, white, values: {A, B} }
  let presets = [];
  let painted = "";
  let asked = 0;

  const scaleOf = (pane) => {
    const fit = Math.min(pane.canvas.width / pair.width, pane.canvas.height / pair.height);
    return fit * view.zoom;
  };

  function paint() {
    const key = [view.centre, view.width, view.invert, view.swapped].join();
    if (key === painted) return;
    painted = key;
    const table = lookup(pair.values.A.BYTES_PER_ELEMENT === 1 ? 256 : 65536, view);
    for (const pane of panes) {
      const values = pair.values[shownIn(pane)];
      const context = pane.sheet.getContext("2d");
      const image = context.createImageData(pair.width, pair.height);
      const out = new Uint32Array(image.data.buffer);
      for (let i = 0; i < out.length; i++) out[i] = table[values[i]];
      context.putImageData(image, 0, 0);
    }
  }

  const shownIn = (pane) => (view.swapped ? (pane.side === "A" ? "B" : "A") : pane.side);

  function draw() {
    asked = 0;
    for (const pane of panes) {
      const { canvas } = pane;
      const ratio = window.devicePixelRatio || 1;
      const [width, height] = [Math.round(pane.root.clientWidth * ratio), Math.round(pane.root.clientHeight * ratio)];
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
    if (!pair) {
      for (const { canvas } of panes) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
      return;
    }
    paint();
    const chosen = presets.find((p) => p.centre === view.centre && p.width === view.width);
    for (const pane of panes) {
      const { canvas, sheet } = pane;
      const context = canvas.getContext("2d", { alpha: false });
      const scale = scaleOf(pane);
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.fillStyle = "#000";
      context.fillRect(0, 0, canvas.width, canvas.height);
      // From four screen pixels per pixel on, and on request, every pixel is a square of its own.
      context.imageSmoothingEnabled = !view.exact && scale < 4;
      context.imageSmoothingQuality = "high";
      context.translate(canvas.width / 2, canvas.height / 2);
      context.scale(scale, scale);
      context.drawImage(sheet, -pair.width / 2 - view.x, -pair.height / 2 - view.y);
      pane.letter.textContent = shownIn(pane);
      const exact = view.exact ? " · exact" : "";
      pane.readout.textContent = `${chosen ? `${chosen.name} · ` : ""}W ${Math.round(view.width)} · L ${Math.round(view.centre)} · ${Math.round(scale * 100)} %${exact}`;
    }
    root.classList.toggle("swapped", view.swapped);
  }

  function redraw() {
    if (!asked) asked = requestAnimationFrame(draw);
  }

  function change(values) {
    Object.assign(view, values);
    if (pair) {
      view.zoom = Math.min(Math.max(view.zoom, 1), 40);
      view.width = Math.min(Math.max(view.width, 2), 2 * (pair.white + 1));
      view.centre = Math.min(Math.max(view.centre, -pair.white / 2), 1.5 * pair.white);
      const reach = view.zoom > 1 ? 0.5 : 0;
      view.x = Math.min(Math.max(view.x, -reach * pair.width), reach * pair.width);
      view.y = Math.min(Math.max(view.y, -reach * pair.height), reach * pair.height);
    }
    redraw();
  }

  /** The image point under a pointer, in pixels from the image's middle. */
  function pointAt(pane, event) {
    const box = pane.root.getBoundingClientRect();
    const scale = scaleOf(pane) / (window.devicePixelRatio || 1);
    return {
      x: (event.clientX - box.left - box.width / 2) / scale + view.x,
      y: (event.clientY - box.top - box.height / 2) / scale + view.y,
    };
  }

  function zoomAt(factor, point = { x: view.x, y: view.y }) {
    const zoom = Math.min(Math.max(view.zoom * factor, 1), 40);
    const share = view.zoom / zoom;
    change({ zoom, x: point.x - (point.x - view.x) * share, y: point.y - (point.y - view.y) * share });
  }

  function showCross(from, event) {
    const other = panes.find((pane) => pane !== from);
    const box = from.root.getBoundingClientRect();
    other.cross.hidden = !event || !pair;
    if (event) other.cross.style.translate = `${event.clientX - box.left}px ${event.clientY - box.top}px`;
  }

  for (const pane of panes) {
    let drag = null;
    pane.root.addEventListener("pointerdown", (event) => {
      if (!pair || event.button > 1) return;
      event.preventDefault();
      pane.root.setPointerCapture(event.pointerId);
      drag = { pan: event.shiftKey || event.button === 1, x: event.clientX, y: event.clientY };
    });
    pane.root.addEventListener("pointermove", (event) => {
      showCross(pane, drag ? null : event);
      if (!drag) return;
      const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
      Object.assign(drag, { x: event.clientX, y: event.clientY });
      if (drag.pan) {
        const scale = scaleOf(pane) / (window.devicePixelRatio || 1);
        change({ x: view.x - dx / scale, y: view.y - dy / scale });
      } else {
        const step = (pair.white + 1) / 512;
        change({ width: view.width + dx * step, centre: view.centre + dy * step });
      }
    });
    const end = () => (drag = null);
    pane.root.addEventListener("pointerup", end);
    pane.root.addEventListener("pointercancel", end);
    pane.root.addEventListener("pointerleave", () => showCross(pane, null));
    pane.root.addEventListener("dblclick", () => change({ zoom: 1, x: 0, y: 0 }));
    pane.root.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (pair) zoomAt(Math.exp(-event.deltaY * 0.0015), pointAt(pane, event));
    }, { passive: false });
  }

  const observer = new ResizeObserver(redraw);
  observer.observe(root);

  function preset(number) {
    const chosen = presets[number];
    if (chosen) change({ centre: chosen.centre, width: chosen.width });
    return chosen;
  }

  return {
    root,
    /** Show a pair; window and zoom start anew, since a case must not inherit how another was looked at. */
    show(pixels, values) {
      pair = { ...pixels, values };
      painted = "";
      for (const { sheet } of panes) Object.assign(sheet, { width: pixels.width, height: pixels.height });
      presets = makePresets(pixels, values.A, values.B);
      this.reset();
    },
    clear() {
      pair = null;
      redraw();
    },
    reset() {
      const [{ centre, width }] = presets;
      change({ centre, width, invert: false, zoom: 1, x: 0, y: 0, swapped: false, exact: false });
    },
    presets: () => presets,
    preset,
    nextPreset() {
      const now = presets.findIndex((p) => p.centre === view.centre && p.width === view.width);
      return preset((now + 1) % presets.length);
    },
    flicker: () => change({ swapped: !view.swapped }),
    invert: () => change({ invert: !view.invert }),
    exact: () => change({ exact: !view.exact }),
    zoom: (factor) => zoomAt(factor),
    pan: (dx, dy) => pair && change({ x: view.x + (dx * pair.width) / (10 * view.zoom), y: view.y + (dy * pair.height) / (10 * view.zoom) }),
    level: (steps) => pair && change({ centre: view.centre + (steps * (pair.white + 1)) / 64 }),
    contrast: (steps) => change({ width: view.width * Math.pow(1.12, -steps) }),
    stop: () => observer.disconnect(),
  };
}
