// The probability over the degree: what has been judged so far, the flip nearest to 0, and where one is.

const SVG = "http://www.w3.org/2000/svg";
const svg = (tag, attributes, text) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
};

/** Until the server has found it: between the two judged neighbours nearest to 0 of which one flips, straight between their log-odds. */
function flipsAt(frames) {
  let best = null;
  for (let i = 1; i < frames.length; i++) {
    const [a, b] = [frames[i - 1], frames[i]];
    if (a.flipped === b.flipped) continue;
    const odds = ({ probability: p }) => Math.log(Math.max(p, 1e-6) / Math.max(1 - p, 1e-6));
    const [from, to] = [odds(a), odds(b)];
    // With more than two classes the flip need not lie at even odds.
    const share = from * to < 0 ? from / (from - to) : 0.5;
    const degree = a.degree + share * (b.degree - a.degree);
    if (best === null || Math.abs(degree) < Math.abs(best)) best = degree;
  }
  return best;
}

function drawCurve(host, { frames, low, high, degree, target, complete, boundary, intended, say = degreeWords, tick }, pick) {
  const width = Math.max(280, host.clientWidth), height = 196;
  const [left, right, top, bottom] = [48, 22, 10, 26];
  const x = (value) => left + ((value - low) / (high - low)) * (width - left - right);
  const y = (share) => top + (1 - share) * (height - top - bottom);
  const found = boundary?.degree ?? null, flip = found ?? flipsAt(frames);
  // Where the picture at degree 0 is the target already (other directions of a mix see to it), it flips back.
  const still = frames.reduce((best, f) => (!best || Math.abs(f.degree) < Math.abs(best.degree) ? f : best), null);
  const verb = (boundary ? boundary.back : still?.flipped) ? "flips back" : "flips";
  const fine = high - low > 4 ? 10 : 100;
  const said = flip === null ? (complete ? "no flip in this range" : "still judging") : `${verb} at ${found === null ? "about " : ""}${say(Math.round(flip * fine) / fine)}`;
  const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Probability of ${target} by degree: ${said}` });
  for (const share of [0, 0.5, 1]) {
    root.append(svg("line", { x1: left, x2: width - right, y1: y(share), y2: y(share), class: "grid" }));
    root.append(svg("text", { x: left - 8, y: y(share) + 4, class: "end" }, share ? `${100 * share} %` : "0"));
  }
  const parts = tick ? 10 : 8;
  for (let i = 0; i <= parts; i++) {
    const value = low + ((high - low) * i) / parts;
    root.append(svg("text", { x: x(value), y: height - 6, class: "middle" }, tick ? tick(value) : value ? words(value, Number.isInteger(value) ? 0 : 2) : "0"));
  }
  root.append(svg("text", { x: left + 4, y: top + 12, class: "title" }, `Probability of ${target}`));
  if (intended) {
    // The film's order: what was intended beneath what came out.
    root.append(svg("polyline", { points: intended.degrees.map((d, i) => `${x(d).toFixed(1)},${y(intended.probability[i]).toFixed(1)}`).join(" "), class: "line intended" }));
    for (const [i, kind, word] of [[0, "intended", "intended"], [1, "predicted", "predicted"]]) {
      const from = left + 8 + 104 * i;
      root.append(svg("line", { x1: from, x2: from + 20, y1: top + 26, y2: top + 26, class: `line ${kind}` }));
      root.append(svg("text", { x: from + 26, y: top + 30, class: kind }, word));
    }
  }
  root.append(svg("polyline", { points: frames.map((f) => `${x(f.degree).toFixed(1)},${y(f.probability).toFixed(1)}`).join(" "), class: "line" }));
  if (flip !== null) {
    const nearEnd = x(flip) > width - 120;
    root.append(svg("line", { x1: x(flip), x2: x(flip), y1: top, y2: height - bottom, class: "flip" }));
    root.append(svg("text", { x: x(flip) + (nearEnd ? -6 : 6), y: height - bottom - 6, class: nearEnd ? "flip end" : "flip" }, said));
  }
  const here = frames.find((f) => f.degree === degree);
  const aim = intended && intendedAt(intended, degree);
  if (aim) root.append(svg("circle", { cx: x(degree), cy: y(aim.probability), r: 5.5, class: "aim" }));
  if (here) root.append(svg("circle", { cx: x(degree), cy: y(here.probability), r: 5.5, class: "here" }));
  root.addEventListener("pointerdown", (event) => {
    const box = root.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width) * width;
    pick(low + ((place - left) / (width - left - right)) * (high - low));
  });
  host.replaceChildren(root);
  return said;
}
