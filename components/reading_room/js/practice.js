// Practice cases: what was right is told as soon as the case is answered, and has been seen before the case is left.

// As long as it takes to take in that there is something to read.
const SEEN = 1000;

/** `show(one)`: what was right in a case, hidden where there is nothing to tell. `tell(token, rows)`: news of the server's.
 *  `wait(token)`: milliseconds until it has been seen, 0 where it has; `allRight()`; `point()`: draw the eye to it. */
function makePractice() {
  const root = el("section", { className: "practice", role: "status", hidden: true });
  const told = new Map(); // token -> rows, newer than what was fetched ahead
  const since = new Map(); // token -> when its rows came up on the screen; what a case was opened with counts as seen
  const rowsOf = (one) => told.get(one.token) || one.feedback || [];
  let rows = [];
  return {
    root,
    tell(token, news) {
      const known = told.get(token);
      told.set(token, news);
      if (JSON.stringify(known) !== JSON.stringify(news)) since.set(token, null);
    },
    show(one) {
      rows = rowsOf(one);
      root.hidden = !rows.length;
      root.classList.remove("pointed");
      root.replaceChildren(el("h3", {}, t(rows.every((row) => row.known) ? "practice.truth" : "practice.title")), ...rows.map((row) => el("p", { className: row.correct ? "right" : "wrong" },
        el("span", { dir: "auto" }, row.label), ": ", row.correct ? t("practice.right") : t("practice.wrong", { answer: t(`state.${row.right}.means`) }))));
      if (since.get(one.token) === null) {
        since.set(one.token, performance.now());
        root.scrollIntoView?.({ block: "nearest" });
      }
    },
    wait: (token) => (since.has(token) ? Math.max(SEEN - (performance.now() - (since.get(token) ?? performance.now())), 0) : 0),
    allRight: () => rows.every((row) => row.correct),
    point() {
      root.scrollIntoView?.({ block: "nearest" });
      root.classList.add("pointed");
    },
  };
}
