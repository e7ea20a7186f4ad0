// All keys on one sheet, how fingers and mouse do the same, and the language.

const SHEET = [
  ["help.answering", [["↑ ↓", "help.row"], ["key.home_end", "help.ends"], ["a  b", "help.only"], ["x", "help.both"], ["n", "help.neither"], ["key.cannot", "help.cannot"],
    ["y  n  s  d", "help.words"], ["1 … 9", "help.rating"], ["1 … 5", "help.sure"], ["← →", "help.step"], ["key.page", "help.line"], ["→", "help.field"], ["d  n", "help.mark"], ["m", "help.comment"], ["key.undo", "help.undo"]]],
  ["help.looking", [["key.space", "help.swap"], ["t", "help.views"], ["z", "help.magnifier"], ["f", "help.true"], ["+ −", "help.zoom"], ["key.shift_arrows", "help.pan"], ["k", "help.link"], ["e", "help.exact"], ["l", "help.measure"], ["r", "help.reset"]]],
  ["help.window", [["key.shift_digits", "help.presets"], ["w", "help.next_preset"], [", .", "help.level"], ["c v", "help.contrast"], ["i", "help.invert"]]],
  ["help.going", [["key.enter", "help.next"], ["key.backspace", "help.back"], ["o", "help.cases"], ["h", "help.sheet"]]],
];
const keyName = (key) => (key.startsWith("key.") ? t(key) : key);

/** `again()` shows the screen check once more; `relabel()` is called when the language has changed, null where the study fixes it. */
function makeHelp(again, relabel) {
  const part = ([name, keys]) => el("section", {}, el("h2", {}, t(name)),
    el("dl", {}, ...keys.flatMap(([key, what]) => [el("dt", {}, el("kbd", {}, keyName(key))), el("dd", {}, t(what))])));
  const [answering, looking, ...rest] = SHEET.map(part);
  const close = el("button", { type: "button", className: "quiet", onclick: () => (sheet.hidden = true) }, t("close"));
  const foot = el("div", { className: "foot" },
    el("p", { className: "soft" }, t("help.mouse")), el("p", { className: "soft" }, t("help.touch")),
    el("div", { className: "actions" }, ...(relabel ? [languageChoice(relabel)] : []),
      el("button", { type: "button", className: "quiet", onclick: again }, t("help.check")), el("span", { className: "spring" }), close));
  const sheet = el("div", { className: "help", role: "dialog", "aria-label": t("help.label"), hidden: true },
    el("div", { className: "columns" }, answering, looking, el("div", {}, ...rest)), foot);
  return sheet;
}
