// Exact pixels: fetched raw, mapped to the screen by a window (centre, width) and nothing else.

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in { className: 1, textContent: 1, disabled: 1, tabIndex: 1, type: 1, value: 1, hidden: 1 }) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

class Refused extends Error {
  constructor(status, body) {
    super(body.error || String(status));
    this.status = status;
    this.body = body;
  }
}

/** JSON of one of our routes. Throws Refused for an answer of the server's, TypeError where it cannot be reached. */
async function ask(url, options = {}) {
  const response = await fetch(url, { cache: "no-store", credentials: "same-origin", ...options });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Gray values of one side, row by row; little-endian on the wire. */
async function fetchValues(url, { width, height, bytes }) {
  const response = await fetch(url, { cache: "no-store", credentials: "same-origin" });
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
  const buffer = await response.arrayBuffer();
  if (buffer.byteLength !== width * height * bytes) throw new TypeError("image cut short");
  if (bytes === 1) return new Uint8Array(buffer);
  if (LITTLE_ENDIAN) return new Uint16Array(buffer);
  const view = new DataView(buffer);
  const values = new Uint16Array(width * height);
  for (let i = 0; i < values.length; i++) values[i] = view.getUint16(2 * i, true);
  return values;
}

/** Gray value -> screen colour (ABGR), by the linear window of DICOM PS3.3 C.11.2.1.2. */
function lookup(levels, { centre, width, invert }) {
  const table = new Uint32Array(levels);
  const span = Math.max(width - 1, 1);
  for (let value = 0; value < levels; value++) {
    const share = Math.min(Math.max((value - (centre - 0.5)) / span + 0.5, 0), 1);
    const gray = Math.round(255 * (invert ? 1 - share : share));
    table[value] = 0xff000000 | (gray << 16) | (gray << 8) | gray;
  }
  return table;
}

/** The values below which `shares` of all images together lie, black surround left out: no side has its own. */
function quantiles(images, white, shares) {
  const counts = new Uint32Array(images[0].BYTES_PER_ELEMENT === 1 ? 256 : 65536);
  for (const values of images) for (let i = 0; i < values.length; i++) counts[values[i]]++;
  const first = Math.floor(0.04 * white) + 1;
  const total = counts.subarray(first).reduce((sum, count) => sum + count, 0);
  return shares.map((share) => {
    let seen = 0;
    for (let value = first; value < counts.length; value++) if ((seen += counts[value]) >= share * total && seen) return value;
    return white;
  });
}

/** The windows that shift 1 to 6 give, from the pair's own window or the range of both images together. */
function makePresets(pixels, images) {
  const full = { centre: (pixels.white + 1) / 2, width: pixels.white + 1, invert: false };
  const [low, dark, middle, bright, high, top] = quantiles(images, pixels.white, [0.01, 0.15, 0.4, 0.75, 0.9, 0.998]);
  const between = (from, to) => ({ centre: (from + to + 1) / 2, width: Math.max(to - from + 1, 2), invert: false });
  const standard = { ...full, ...(pixels.window || {}) };
  return [
    { name: "standard", ...standard },
    { name: "lung", ...between(low, bright) },
    { name: "soft", ...between(dark, high) },
    { name: "bone", ...between(middle, top) },
    { name: "full", ...full },
    { name: "inverted", ...standard, invert: true },
  ];
}
