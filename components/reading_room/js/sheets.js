// Gray values painted through the window onto canvases of their own size, one an image, and only when it changed.

/** Signed difference B − A on black: blue where B is darker, amber where it is brighter; full at a quarter window. */
function paintDifference(out, a, b, width) {
  const most = Math.max(width / 4, 1);
  for (let i = 0; i < out.length; i++) {
    const share = Math.min(Math.max((b[i] - a[i]) / most, -1), 1);
    const [red, green, blue] = share > 0 ? [255, 176, 80] : [70, 170, 255];
    const part = Math.abs(share);
    out[i] = 0xff000000 | (Math.round(blue * part) << 16) | (Math.round(green * part) << 8) | Math.round(red * part);
  }
}

/** `sheet(name, view)` is a canvas with image "A" or "B", or their "difference", as the window shows it. */
function makeSheets(pixels, values) {
  const sheets = new Map(); // name -> {canvas, painted}
  return function sheet(name, { centre, width, invert }) {
    if (!sheets.has(name)) {
      const canvas = Object.assign(document.createElement("canvas"), { width: pixels.width, height: pixels.height });
      sheets.set(name, { canvas, painted: "" });
    }
    const kept = sheets.get(name);
    const key = [centre, width, invert].join();
    if (kept.painted !== key) {
      kept.painted = key;
      const context = kept.canvas.getContext("2d");
      const image = context.createImageData(pixels.width, pixels.height);
      const out = new Uint32Array(image.data.buffer);
      if (name === "difference") paintDifference(out, values.A, values.B, width);
      else {
        const table = lookup(values[name].BYTES_PER_ELEMENT === 1 ? 256 : 65536, { centre, width, invert });
        for (let i = 0; i < out.length; i++) out[i] = table[values[name][i]];
      }
      context.putImageData(image, 0, 0);
    }
    return kept.canvas;
  };
}
