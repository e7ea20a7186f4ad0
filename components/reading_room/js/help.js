// All keys on one sheet.

const KEYS = {
  "Answering": [["↑ ↓", "question before, after"], ["home end", "first, last question"], ["a  b", "finding only in A, only in B"], ["x", "in both"], ["n", "in neither"], ["q or ?", "cannot be assessed"], ["1 … 5", "rating on the marked row"], ["← →", "answer before, after"], ["m", "comment (Esc leaves it)"]],
  "Looking": [["space", "swap A and B in place"], ["shift 1–5, w", "window presets; next preset"], [", .", "darker, brighter"], ["c v", "less, more contrast"], ["+ −", "zoom"], ["shift + arrows", "move"], ["i", "invert"], ["e", "every pixel as a square"], ["r", "reset the view"]],
  "Going on": [["enter", "next case"], ["backspace", "case before"], ["o", "overview of the cases"], ["h", "this sheet"]],
};

function makeHelp() {
  const sheet = el("div", { className: "help", role: "dialog", "aria-label": "Keys", hidden: true },
    ...Object.entries(KEYS).map(([name, keys]) => el("section", {}, el("h2", {}, name),
      el("dl", {}, ...keys.flatMap(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)])))));
  sheet.addEventListener("click", () => (sheet.hidden = true));
  return sheet;
}
