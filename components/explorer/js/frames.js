// What the server sends, and the arithmetic that makes a picture of it: clip(before + rows · change · columnsᵀ).

const words = (value, digits = 1) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(digits)}`;
const degreeWords = (value) => words(value, Math.abs(value * 10 - Math.round(value * 10)) > 1e-6 ? 2 : 1);
const percent = (share) => (share > 0 && share < 0.005 ? "<1 %" : share < 1 && share > 0.995 ? ">99 %" : `${Math.round(100 * share)} %`);

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && name !== "role") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

async function ask(path, query, signal) {
  const response = await fetch(`/views/${path}?${new URLSearchParams(query)}`, { cache: "no-store", credentials: "same-origin", signal });
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw new Error(body.error || `The server answered ${response.status}. Reload the page.`);
  }
  return response;
}

/** Weights (n, m), mostly zeros, as the few taps of every row. */
function sparse(values, n, m) {
  const starts = new Int32Array(n + 1), places = [], weights = [];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) if (values[i * m + j] !== 0) places.push(j), weights.push(values[i * m + j]);
    starts[i + 1] = places.length;
  }
  return { n, starts, places: Int32Array.from(places), weights: Float64Array.from(weights) };
}

async function fetchScene(query, signal) {
  const buffer = await (await ask("scene", query, signal)).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const scene = { ...head, frames: new Map() };
  let offset = 4 + length;
  for (const [name, h, w] of head.arrays) {
    scene[name] = { h, w, values: new Float32Array(buffer, offset, h * w) };
    offset += 4 * h * w;
  }
  scene.original ??= scene.before;
  for (const name of ["rows", "columns"]) if (scene[name]) scene[name] = sparse(scene[name].values, scene[name].h, scene[name].w);
  return scene;
}

/** A heat map over the padded square: {h, w, values, signed}. */
async function fetchMap(query, signal) {
  const buffer = await (await ask("map", query, signal)).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { ...head, values: new Float32Array(buffer, 4 + length, head.h * head.w) };
}

/** Every frame of a path as it arrives: {degree, probability, flipped, change}. */
async function* fetchFrames(scene, query, signal) {
  const reader = (await ask("path", query, signal)).body.getReader();
  const count = scene.change[0] * scene.change[1];
  const size = 12 + count * (scene.step ? 2 : 4);
  let record = new Uint8Array(size), filled = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    for (let from = 0; from < value.length; ) {
      const taken = Math.min(size - filled, value.length - from);
      record.set(value.subarray(from, from + taken), filled);
      filled += taken;
      from += taken;
      if (filled < size) continue;
      const view = new DataView(record.buffer);
      const change = scene.step ? new Int16Array(record.buffer, 12, count) : new Float32Array(record.buffer, 12, count);
      // A float32 degree names the grid's own degree again at six decimals.
      yield { degree: Number(view.getFloat32(0, true).toFixed(4)), probability: view.getFloat32(4, true), flipped: view.getUint32(8, true) === 1, change };
      record = new Uint8Array(size);
      filled = 0;
    }
  }
  if (filled) throw new Error("The pictures did not arrive whole. Reload the page.");
}

/** The change at the size of `before`, float32. */
function fullChange(scene, { change }) {
  const { h, w } = scene.before;
  const out = new Float32Array(h * w);
  if (!scene.rows) {
    const unit = scene.step || 1;
    for (let i = 0; i < out.length; i++) out[i] = change[i] * unit;
    return out;
  }
  const { rows, columns } = scene, [a, b] = scene.change;
  const wide = new Float64Array(a * w);
  for (let i = 0; i < a; i++)
    for (let x = 0; x < w; x++) {
      let sum = 0;
      for (let k = columns.starts[x]; k < columns.starts[x + 1]; k++) sum += columns.weights[k] * change[i * b + columns.places[k]];
      wide[i * w + x] = sum;
    }
  const line = new Float64Array(w);
  for (let y = 0; y < h; y++) {
    line.fill(0);
    for (let k = rows.starts[y]; k < rows.starts[y + 1]; k++) {
      const weight = rows.weights[k], row = rows.places[k] * w;
      for (let x = 0; x < w; x++) line[x] += weight * wide[row + x];
    }
    out.set(line, y * w);
  }
  return out;
}

/** before + change, clamped to [0, 1]; `change` becomes what is left of the change after clamping. */
function applied(before, change) {
  const shown = new Float32Array(change.length);
  for (let i = 0; i < shown.length; i++) {
    const value = before[i] + change[i];
    shown[i] = value < 0 ? 0 : value > 1 ? 1 : value;
    change[i] = shown[i] - before[i];
  }
  return shown;
}

/** One picture a canvas, made once; `colour` fills its pixels (ABGR). */
const images = new WeakMap();
function paint(canvas, h, w, colour) {
  let image = images.get(canvas);
  if (!image || image.width !== w || image.height !== h) {
    Object.assign(canvas, { width: w, height: h });
    image = new ImageData(w, h);
    images.set(canvas, image);
  }
  colour(new Uint32Array(image.data.buffer));
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0);
}

/** Uint8ClampedArray rounds halves to even, as the server's 8-bit pictures do. */
const paintGray = (canvas, h, w, values) =>
  paint(canvas, h, w, (pixels) => {
    const gray = new Uint8ClampedArray(1);
    for (let i = 0; i < pixels.length; i++) {
      gray[0] = 255 * values[i];
      pixels[i] = 0xff000000 | (gray[0] * 0x010101);
    }
  });

const RDBU = [[5, 48, 97], [33, 102, 172], [67, 147, 195], [146, 197, 222], [209, 229, 240], [255, 255, 255], [253, 219, 199], [244, 165, 130], [214, 96, 77], [178, 24, 43], [103, 0, 31]];
const LEVELS = 1000;
const DIVERGING = Uint32Array.from({ length: 2 * LEVELS + 1 }, (_, i) => {
  const place = (i / (2 * LEVELS)) * (RDBU.length - 1), low = Math.min(Math.floor(place), RDBU.length - 2);
  const [r, g, b] = RDBU[low].map((from, c) => Math.round(from + (place - low) * (RDBU[low + 1][c] - from)));
  return 0xff000000 | (b << 16) | (g << 8) | r;
});

/** Blue where darker, red where brighter, full colour at ±limit. */
const paintChange = (canvas, h, w, change, limit) =>
  paint(canvas, h, w, (pixels) => {
    for (let i = 0; i < pixels.length; i++) {
      const level = change[i] / limit;
      pixels[i] = DIVERGING[LEVELS + Math.round(LEVELS * (level < -1 ? -1 : level > 1 ? 1 : level))];
    }
  });

/** The 99.5th percentile of the change's size, at least 0.05: where the colours end. */
function limitOf(change) {
  const bins = new Uint32Array(2001);
  for (let i = 0; i < change.length; i++) bins[Math.round(2000 * Math.min(1, Math.abs(change[i])))]++;
  let left = 0.005 * change.length, bin = 2000;
  while (bin > 0 && (left -= bins[bin]) > 0) bin--;
  return Math.max(0.05, bin / 2000);
}
