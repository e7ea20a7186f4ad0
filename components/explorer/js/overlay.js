// A heat map over the original, as a layer of its own: the pixels beneath stay exactly as they are.

// Both safe for the common kinds of colour blindness: cividis (Nuñez et al. 2018), and ColorBrewer's blues against its oranges.
const CIVIDIS = [[0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115], [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56]];
const BLUE_ORANGE = [[8, 48, 107], [33, 113, 181], [107, 174, 214], [198, 219, 239], [247, 247, 247], [253, 208, 162], [253, 141, 60], [217, 72, 1], [127, 39, 4]];
const SHADES = 512;
const shadesOf = (anchors) => Uint32Array.from({ length: SHADES + 1 }, (_, i) => {
  const place = (i / SHADES) * (anchors.length - 1), low = Math.min(Math.floor(place), anchors.length - 2);
  const [r, g, b] = anchors[low].map((from, c) => Math.round(from + (place - low) * (anchors[low + 1][c] - from)));
  return 0xff000000 | (b << 16) | (g << 8) | r;
});
const SIGNED = shadesOf(BLUE_ORANGE), UNSIGNED = shadesOf(CIVIDIS);
const gradientOf = (anchors) => `linear-gradient(90deg, ${anchors.map((rgb) => `rgb(${rgb})`).join(", ")})`;

/** A map over the padded square, at the pixels of an image (h, w) in its middle: linear between the map's pixels. */
function stretched({ h: rows, w: columns, values }, h, w) {
  const side = Math.max(h, w), out = new Float32Array(h * w);
  const taps = (count, n, length) => Array.from({ length: count }, (_, i) => {
    const place = Math.min(n - 1, Math.max(0, ((i + Math.floor((length - count) / 2) + 0.5) / length) * n - 0.5));
    const low = Math.min(Math.floor(place), Math.max(0, n - 2));
    return [low, Math.min(low + 1, n - 1), place - low];
  });
  const across = taps(w, columns, side);
  taps(h, rows, side).forEach(([up, down, share], y) => {
    for (let x = 0; x < w; x++) {
      const [left, right, part] = across[x];
      const above = values[up * columns + left] * (1 - part) + values[up * columns + right] * part;
      const below = values[down * columns + left] * (1 - part) + values[down * columns + right] * part;
      out[y * w + x] = above * (1 - share) + below * share;
    }
  });
  return out;
}

/** The size that `share` of the values reach or exceed, to a millionth of the largest one. */
function reachedBy(values, share) {
  let low = 0, high = 0;
  for (const value of values) high = Math.max(high, Math.abs(value));
  let wanted = Math.round(share * values.length);
  for (let round = 0; round < 2 && high > low; round++) {
    const bins = new Uint32Array(1001), unit = (high - low) / 1000;
    for (const value of values) {
      const size = Math.abs(value);
      if (size >= low && (size < high || round === 0)) bins[Math.min(1000, Math.floor((size - low) / unit))]++;
    }
    let bin = 1000;
    while (bin > 0 && bins[bin] < wanted) wanted -= bins[bin--];
    [low, high] = [low + bin * unit, low + (bin + 1) * unit];
  }
  return low;
}

function makeOverlay(app) {
  const canvas = el("canvas", { role: "img", "aria-label": "Heat map", className: "layer", hidden: true });
  const on = el("input", { type: "checkbox", onchange: () => refresh() });
  const tick = el("label", { className: "tick", title: "Colours over the original where it changes, or where the classifier looks" }, on, "Heat map");
  const which = el("select", { "aria-label": "Map", onchange: () => choose() });
  const from = el("select", { "aria-label": "Baseline", onchange: () => refresh() });
  const baseline = el("label", { hidden: true, title: "The image that the gradients are gathered from, on the way to this one" }, "Baseline ", from);
  const slider = (name, value, least) => el("input", { type: "range", min: least, max: 100, value, "aria-label": name });
  const part = slider("Pixels shown, %", 20, 1), opacity = slider("Opacity, %", 60, 0);
  const parts = el("output"), opacities = el("output");
  const low = el("span"), high = el("span"), bar = el("i");
  const legend = el("div", { className: "legend", role: "img" }, low, bar, high);
  const waiting = el("progress", { hidden: true, "aria-label": "Computing the map" });
  const said = el("span", { className: "said", "aria-live": "polite" });
  const node = el("div", { className: "overlay", hidden: true, role: "group", "aria-label": "Heat map" },
    el("label", {}, "Map ", which), baseline, el("label", {}, "Pixels shown ", part, parts), el("label", {}, "Opacity ", opacity, opacities), legend, waiting, said);
  const found = new Map();
  let change = null, asking = null, wanted = "", scheduled = 0;

  part.addEventListener("input", () => schedule());
  opacity.addEventListener("input", () => { canvas.style.opacity = opacity.value / 100; tellSliders(); });
  const schedule = () => (scheduled ||= requestAnimationFrame(() => { scheduled = 0; paintLayer(); }));

  function tellSliders() {
    for (const [input, output] of [[part, parts], [opacity, opacities]]) {
      output.textContent = `${input.value} %`;
      input.setAttribute("aria-valuetext", `${input.value} %`);
    }
  }

  let choices = [];
  const chosen = () => choices.find(({ key }) => key === which.value) || choices[0];

  /** What can be laid over: the change that is shown, and the maps of this run, by what they are made from. */
  function offer(maps) {
    const before = [which.value, from.value];
    choices = [{ key: "", title: "Difference shown", about: "What the counterfactual changes, at this degree", group: "This run", missing: "", wait: "", baselines: [] }, ...maps];
    const groups = [...new Set(choices.map(({ group }) => group))];
    which.replaceChildren(...groups.map((label) => {
      const own = choices.filter(({ group }) => group === label);
      const none = own.every(({ missing }) => missing);
      return el("optgroup", { label: none ? `${label}: none here` : label }, ...own.map(({ key, title, about }) => el("option", { value: key, title: about }, title)));
    }));
    which.value = choices.some(({ key }) => key === before[0]) ? before[0] : "";
    change = null;
    offerBaselines(before[1]);
  }

  function offerBaselines(before) {
    const { about, baselines } = chosen();
    which.title = about;
    baseline.hidden = !baselines.length;
    from.replaceChildren(...baselines.map(({ key, title }) => el("option", { value: key }, title)));
    if (baselines.some(({ key }) => key === before)) from.value = before;
  }

  function choose() {
    offerBaselines(from.value);
    refresh();
  }

  /** The map that is asked for, of which baseline, why it cannot be had, and what to know while it is computed. */
  function asked() {
    const choice = chosen(), start = choice.baselines.find(({ key }) => key === from.value);
    return { key: start ? start.key : choice.key, missing: choice.missing || (start ? start.missing : ""), wait: choice.wait || (start ? start.wait : "") };
  }

  /** Another change is shown now: {h, w, values, run, image}, of that image of that run. */
  function show(now) {
    const moved = change?.run !== now.run || change.image !== now.image;
    change = now;
    if (moved) refresh();
    else if (on.checked && !asked().key) paintLayer();
  }

  async function refresh() {
    node.hidden = !on.checked;
    canvas.hidden = true;
    asking?.abort();
    waiting.hidden = true;
    if (!on.checked || !change) return;
    const { key, missing, wait } = asked(), { run, image } = change, name = `${run}/${image}/${key}`;
    wanted = name;
    if (missing) {
      legend.hidden = true;
      said.textContent = missing;
      return;
    }
    if (key && !found.has(name)) {
      said.textContent = `Computing the map … ${wait}`;
      waiting.hidden = false;
      legend.hidden = true;
      asking = new AbortController();
      try {
        const map = await fetchMap({ run, image, map: key }, asking.signal);
        if (found.size > 15) found.clear();
        found.set(name, map);
      } catch (problem) {
        if (wanted !== name || problem.name === "AbortError") return;
        waiting.hidden = true;
        said.textContent = problem instanceof TypeError ? "The server cannot be reached." : problem.message;
        return;
      }
      if (wanted !== name) return;
      waiting.hidden = true;
    }
    paintLayer();
  }

  function current() {
    const { key } = asked(), { h, w, values } = change;
    if (!key) return { values, signed: true, ends: ["darker", "brighter"] };
    const map = found.get(`${change.run}/${change.image}/${key}`);
    if (!map) return null;
    // Stretched once for a size: the sliders move over it many times.
    if (map.full?.length !== h * w || map.across !== w) Object.assign(map, { full: stretched(map, h, w), across: w });
    const { target } = app.data;
    return { values: map.full, signed: map.signed, ends: map.signed ? [`for ${target}`, `against ${target}`] : ["0 matters little", "matters much"] };
  }

  function paintLayer() {
    const map = on.checked && change && current();
    if (!map) return;
    const { values, signed, ends } = map, least = reachedBy(values, part.value / 100), limit = reachedBy(values, 0.005) || 1;
    let count = 0;
    paint(canvas, change.h, change.w, (pixels) => {
      for (let i = 0; i < pixels.length; i++) {
        const value = values[i], size = Math.abs(value);
        if (!(size >= least && size > 0)) { pixels[i] = 0; continue; }
        count++;
        const place = Math.min(1, size / limit) * Math.sign(value);
        pixels[i] = signed ? SIGNED[Math.round((SHADES * (place + 1)) / 2)] : UNSIGNED[Math.round(SHADES * Math.max(0, place))];
      }
    });
    canvas.style.opacity = opacity.value / 100;
    canvas.hidden = false;
    canvas.dataset.shown = count;
    const end = limit.toPrecision(2);
    bar.style.background = gradientOf(signed ? BLUE_ORANGE : CIVIDIS);
    low.textContent = signed ? `${ends[0]} −${end}` : ends[0];
    high.textContent = `${signed ? "+" : ""}${end} ${ends[1]}`;
    legend.hidden = false;
    legend.setAttribute("aria-label", `Colours: ${signed ? "blue" : "dark blue"} ${low.textContent}, ${signed ? "orange" : "yellow"} ${high.textContent}`);
    said.textContent = count ? `${percent(count / values.length)} of the pixels` : "Nothing to show: every pixel is 0.";
    tellSliders();
  }

  tellSliders();
  return { canvas, tick, node, offer, show };
}
