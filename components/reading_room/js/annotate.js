// Points, boxes and polygons on the images, in pixels from the upper left corner: by mouse, finger or keyboard.

const MARK_COLOUR = "#4cc2ff";
const SMALLEST_BOX = 2; // pixels

/** A row whose answer is a list of {side, points}. `viewer` shows and takes the drawing; `done()` goes to the next row. */
function markRow(part, item, answer, { viewer, done }) {
  let marks; // undefined: not answered; []: nothing to mark
  let draft = []; // corners of the mark that is being drawn
  let draftSide = "A";
  let cursor = null; // {letter, x, y} once the keyboard draws
  let size = { width: 1, height: 1 };
  let sides = ["A", "B"];
  let armed = false;
  let locked = false;
  let removeLayer = () => {};

  const draw = el("button", { type: "button", className: "point word", tabIndex: -1, "aria-pressed": "false", onclick: () => arm(!armed) }, t(`mark.draw.${item.shape}`));
  const none = el("button", { type: "button", className: "point word", tabIndex: -1, "aria-pressed": "false", onclick: () => give([]) }, t("mark.none"));
  const undo = el("button", { type: "button", className: "point word", tabIndex: -1, onclick: () => takeBack() }, t("mark.undo"));
  const count = el("span", { className: "soft", role: "status" });
  const root = el("div", { className: "row rating mark", role: "group", tabIndex: -1, "aria-label": item.text, "data-key": item.key },
    label(item.text), el("div", { className: "words" }, draw, none, undo), count);
  draw.title = "d";
  none.title = "n";
  undo.title = t("key.delete");

  const clamp = (value, most) => Math.round(10 * Math.min(Math.max(value, 0), most)) / 10;
  const placeOf = ({ x, y }) => [clamp(x, size.width), clamp(y, size.height)];

  function arm(on) {
    if (!viewer || (locked && on)) return;
    armed = on;
    draft = [];
    if (!on) cursor = null;
    draw.setAttribute("aria-pressed", String(on));
    viewer.setTool(on ? tool : null);
    say();
  }

  function give(next) {
    if (locked) return;
    answer(next);
    if (!next.length) {
      arm(false);
      done();
    }
  }

  function add(points) {
    const next = [...(marks || []), { side: draftSide, points }];
    draft = [];
    answer(next.slice(-item.most));
    if (next.length >= item.most) {
      arm(false);
      done();
    }
  }

  function takeBack() {
    if (locked) return;
    if (draft.length) draft = draft.slice(0, -1);
    else if (marks?.length) answer(marks.length > 1 ? marks.slice(0, -1) : undefined);
    say();
  }

  /** A corner by click, tap or Enter; a box has two, a polygon is closed at its first corner. */
  function corner(letter, point, near) {
    if (draft.length && letter !== draftSide) draft = [];
    draftSide = letter;
    const place = placeOf(point);
    if (item.shape === "point") return add([place]);
    if (item.shape === "polygon") {
      const [first] = draft;
      if (draft.length >= 3 && Math.hypot(place[0] - first[0], place[1] - first[1]) <= near) return add(draft);
      draft.push(place);
    } else if (draft.length) closeBox(place);
    else draft = [place];
    say();
  }

  function closeBox([x, y]) {
    const [[left, top]] = draft;
    if (Math.abs(x - left) < SMALLEST_BOX || Math.abs(y - top) < SMALLEST_BOX) return;
    add([[Math.min(left, x), Math.min(top, y)], [Math.max(left, x), Math.max(top, y)]]);
  }

  let pressed = null;
  const tool = {
    down(at) {
      if (!sides.includes(at.letter)) return false;
      cursor = null;
      pressed = at;
      if (item.shape === "box") {
        draftSide = at.letter;
        draft = [placeOf(at), placeOf(at)];
      }
      return true;
    },
    move(at) {
      if (item.shape === "box" && pressed) draft = [draft[0], placeOf(at)];
    },
    up(at) {
      if (!pressed) return;
      const { letter, near } = pressed;
      pressed = null;
      if (item.shape !== "box") return corner(letter, at, near);
      draft = [draft[0]];
      closeBox(placeOf(at));
      // A click without a drag sets the first corner; so does the keyboard.
      say();
    },
    cancel() {
      pressed = null;
      if (item.shape === "box") draft = [];
    },
  };

  /** Keys while drawing: arrows move a cross, Enter sets a corner, Tab goes to the other image, Escape ends. */
  function captures(event) {
    if (!armed) return false;
    const { key } = event;
    const step = event.shiftKey ? 1 : Math.max(size.width, size.height) / 40;
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] || [0, 0];
    if (dx || dy) {
      cursor = cursor || { letter: sides[0], x: size.width / 2, y: size.height / 2 };
      Object.assign(cursor, { x: clamp(cursor.x + dx * step, size.width), y: clamp(cursor.y + dy * step, size.height) });
    } else if (key === "Tab" && cursor) cursor.letter = sides[(sides.indexOf(cursor.letter) + 1) % sides.length];
    else if (key === "Enter" && cursor) corner(cursor.letter, cursor, step);
    else if (key === "Enter" && item.shape === "polygon" && draft.length >= 3) add(draft);
    else if (key === "Escape") arm(false);
    else if (key === "Delete") takeBack();
    else return false;
    viewer.redraw();
    return true;
  }

  function say() {
    const on = (side) => (marks || []).filter((mark) => mark.side === side).length;
    const told = marks?.length ? sides.map((side) => (sides.length > 1 ? `${side}: ${on(side)}` : on(side))).join(" · ") : "";
    count.textContent = armed ? t(draft.length ? `mark.more.${item.shape}` : `mark.how.${item.shape}`) : told;
    none.setAttribute("aria-pressed", String(Boolean(marks && !marks.length)));
    undo.hidden = !marks?.length && !draft.length;
    viewer?.redraw();
  }

  function trace(context, points, toScreen, closed) {
    const [first, ...rest] = points.map(([x, y]) => toScreen(x, y));
    context.beginPath();
    context.moveTo(...first);
    for (const point of rest) context.lineTo(...point);
    if (closed) context.closePath();
  }

  function outline(context, points, toScreen, ratio, shape = item.shape) {
    if (points.length === 1 || shape === "point") {
      context.beginPath();
      context.arc(...toScreen(...points[0]), 7 * ratio, 0, 2 * Math.PI);
    } else if (shape === "box") {
      const [[left, top], [right, bottom]] = points;
      trace(context, [[left, top], [right, top], [right, bottom], [left, bottom]], toScreen, true);
    } else trace(context, points, toScreen, true);
  }

  function layer({ context, letter, toScreen, ratio }) {
    if (root.hidden) return;
    const shapes = (marks || []).filter((mark) => mark.side === letter).map((mark) => mark.points);
    if (draft.length && draftSide === letter) shapes.push(draft);
    context.lineJoin = "round";
    for (const points of shapes) {
      outline(context, points, toScreen, ratio);
      // A dark edge keeps the line visible on bright bone as on dark lung.
      for (const [colour, width] of [["rgb(0 0 0 / 75%)", 4], [MARK_COLOUR, 2]]) {
        context.strokeStyle = colour;
        context.lineWidth = width * ratio;
        context.stroke();
      }
    }
    if (cursor?.letter !== letter) return;
    const [x, y] = toScreen(cursor.x, cursor.y);
    context.strokeStyle = MARK_COLOUR;
    context.lineWidth = 1.5 * ratio;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [0, 1]]) {
      context.moveTo(x - 12 * dx * ratio, y - 12 * dy * ratio);
      context.lineTo(x + 12 * dx * ratio, y + 12 * dy * ratio);
    }
    context.stroke();
  }
  if (viewer) removeLayer = viewer.addLayer(layer);

  return {
    root, part, key: item.key, values: [], byKey: () => undefined, captures,
    press(event) {
      if (event.key === "d") arm(!armed);
      else if (event.key === "n") give([]);
      else if (event.key === "Delete") takeBack();
      else return false;
      return true;
    },
    leave: () => armed && arm(false),
    show(value, isLocked, pixels) {
      if (pixels) {
        size = pixels;
        sides = Object.keys(pixels.urls);
      }
      marks = value;
      locked = isLocked;
      for (const button of [draw, none, undo]) button.disabled = locked;
      if (pixels && armed) arm(false);
      say();
    },
    stop: () => removeLayer(),
  };
}
