// The cardiothoracic ratio: a line across the heart, a line across the chest, on one image.

const LINES = ["heart", "chest"];
const LINE_COLOURS = { heart: "#4cc2ff", chest: "#ffc46b" };

const lengthOf = ([x1, y1, x2, y2]) => Math.hypot(x2 - x1, y2 - y1);

/** `done()` is called when a line has been drawn or moved; `redraw()` while it is. A viewer's tool and its layer. */
function makeMeasure({ done, redraw }) {
  const hint = el("p", { className: "measuring", role: "status", hidden: true });
  let lines = {}; // letter -> {heart?, chest?}: [x1, y1, x2, y2]
  let size = { width: 1, height: 1 };
  let held = null; // {letter, name, end} what the pointer holds
  let before = null;
  let locked = true;

  const inside = ({ x, y }) => [Math.min(Math.max(x, 0), size.width), Math.min(Math.max(y, 0), size.height)];
  const mine = (letter) => (lines[letter] ||= {});
  const nextOf = (letter) => LINES.find((name) => !lines[letter]?.[name]);
  const copy = () => structuredClone(lines);

  /** The end of a line within reach of the pointer. */
  function grabbed({ letter, x, y, near }) {
    for (const [name, line] of Object.entries(lines[letter] || {})) {
      for (const end of [0, 1]) if (Math.hypot(line[2 * end] - x, line[2 * end + 1] - y) < near) return { letter, name, end };
    }
    return null;
  }

  function say() {
    const drawn = Object.values(lines);
    const complete = drawn.some((one) => one.heart && one.chest);
    hint.textContent = t(drawn.some((one) => one.heart && !one.chest) ? "measure.second" : complete ? "measure.done" : "measure.first");
  }

  const tool = {
    down(point) {
      if (locked || !["A", "B"].includes(point.letter)) return false;
      before = copy();
      held = grabbed(point);
      if (!held) {
        const name = nextOf(point.letter);
        const [x, y] = inside(point);
        if (!name || x !== point.x || y !== point.y) return false;
        mine(point.letter)[name] = [x, y, x, y];
        held = { letter: point.letter, name, end: 1 };
      }
      return true;
    },
    move(point) {
      if (held) lines[held.letter][held.name].splice(2 * held.end, 2, ...inside(point));
    },
    up() {
      if (!held) return;
      const kept = lengthOf(lines[held.letter][held.name]) >= 2;
      held = null;
      if (!kept) lines = before;
      say();
      redraw();
      if (kept) done();
    },
    cancel() {
      if (held) lines = before;
      held = null;
      redraw();
    },
  };

  function layer({ context, letter, toScreen, ratio }) {
    const found = lines[letter];
    if (!found) return;
    context.lineCap = "round";
    for (const name of LINES) {
      if (!found[name]) continue;
      const [from, to] = [toScreen(found[name][0], found[name][1]), toScreen(found[name][2], found[name][3])];
      for (const [colour, width] of [["rgb(0 0 0 / 60%)", 4], [LINE_COLOURS[name], 1.75]]) {
        context.strokeStyle = colour;
        context.lineWidth = width * ratio;
        context.beginPath();
        context.moveTo(...from);
        context.lineTo(...to);
        for (const [x, y] of [from, to]) {
          context.moveTo(x, y - 7 * ratio);
          context.lineTo(x, y + 7 * ratio);
        }
        context.stroke();
      }
    }
    if (!found.heart || !found.chest) return;
    const text = t("measure.ratio", { ratio: (lengthOf(found.heart) / lengthOf(found.chest)).toFixed(2) });
    const [x, y] = toScreen(found.chest[2], found.chest[3]);
    context.font = `600 ${15 * ratio}px system-ui, sans-serif`;
    const width = context.measureText(text).width;
    const left = Math.min(Math.max(x - width, 6 * ratio), context.canvas.width - width - 12 * ratio);
    context.fillStyle = "rgb(12 14 18 / 80%)";
    context.fillRect(left - 6 * ratio, y + 12 * ratio, width + 12 * ratio, 24 * ratio);
    context.fillStyle = "#f1f3f6";
    context.fillText(text, left, y + 29 * ratio);
  }

  const rounded = (line) => line.map((value) => Math.round(value * 10) / 10);
  return {
    hint,
    tool,
    layer,
    open(on) {
      hint.hidden = !on;
      say();
    },
    show(measures, pixels, isLocked) {
      size = pixels || size;
      locked = isLocked;
      lines = structuredClone(measures || {});
      held = null;
      say();
      redraw();
    },
    /** As it is stored: lines by image, without the ratio, which the server computes. */
    measures() {
      const found = {};
      for (const [letter, one] of Object.entries(lines)) {
        const kept = LINES.filter((name) => one[name]).map((name) => [name, rounded(one[name])]);
        if (kept.length) found[letter] = Object.fromEntries(kept);
      }
      return found;
    },
  };
}
