// Practice cases: what was right is told once the case is answered, and stays on the screen until the reader goes on.

/** `show(rows)`: [{label, right, correct}], hidden where there is nothing to tell; `hold(token)`: once for each case. */
function makePractice() {
  const root = el("section", { className: "practice", role: "status", hidden: true });
  const told = new Map(); // token -> rows, newer than what was fetched ahead
  const seen = new Set();
  return {
    root,
    tell: (token, rows) => told.set(token, rows),
    show(one) {
      const rows = told.get(one.token) || one.feedback || [];
      root.hidden = !rows.length;
      root.replaceChildren(el("h3", {}, t("practice.title")), ...rows.map((row) => el("p", { className: row.correct ? "right" : "wrong" },
        el("span", { dir: "auto" }, row.label), ": ", row.correct ? t("practice.right") : t("practice.wrong", { answer: t(`state.${row.right}.means`) }))));
    },
    /** Whether the reader is to look once more before going on. */
    hold(token) {
      if (seen.has(token)) return false;
      seen.add(token);
      root.scrollIntoView?.({ block: "nearest" });
      return true;
    },
  };
}
