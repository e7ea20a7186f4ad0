// What is asked beside the images: findings, ratings, the study's other questions, one comment.

const SIDES_ASKED = ["A", "B", "both", "neither", "cannot"];
const ROWS = {
  sides: (item, answer) => stateRow("questions", item, item.values, answer),
  presence: (item, answer) => stateRow("questions", item, item.values, answer),
  likert: (item, answer) => scaleRow("questions", item, answer),
  vas: (item, answer) => lineRow("questions", item, answer),
  forced_choice: (item, answer) => choiceRow("questions", item, answer),
  same: (item, answer) => choiceRow("questions", item, answer),
  choice: (item, answer) => choiceRow("questions", item, answer),
  number: (item, answer) => numberRow("questions", item, answer),
  text: (item, answer) => textRow("questions", item, answer),
  mark: (item, answer, more) => markRow("questions", item, answer, more),
};

/**
 * `onAnswer(part, key, value)` is called for what the reader does, not for `show`; `onComment(text)` after typing, also
 * in other fields. `viewer` takes marks on the images.
 */
function makeQuestions(asked, { onAnswer, onComment, viewer = null }) {
  const extra = asked.questions || [];
  const sureness = extra.find((question) => question.kind === "confidence");
  const listed = extra.filter((question) => question.kind !== "confidence");
  let answers = { findings: {}, ratings: {}, questions: {}, comment: "" };
  let current = 0;
  let locked = false;

  const answerAt = (index) => (value, { typed = false } = {}) => {
    const row = rows[index];
    if (locked || same(answers[row.part][row.key], value)) return;
    if (value === undefined) delete answers[row.part][row.key];
    else answers[row.part][row.key] = value;
    row.root.classList.remove("missing");
    update();
    if (typed) onComment(answers.comment);
    else onAnswer(row.part, row.key, value);
  };
  const same = (a, b) => a === b || (Array.isArray(a) && JSON.stringify(a) === JSON.stringify(b));
  const next = (index) => () => current === index && go(index + 1);

  function sureOf(finding, index) {
    if (!sureness) return null;
    return {
      question: sureness,
      give(value) {
        if (locked) return;
        answers.questions[sureness.key] = { ...answers.questions[sureness.key], [finding.key]: value };
        update();
        onAnswer("questions", sureness.key, answers.questions[sureness.key]);
        if (current === index) go(index + 1);
      },
    };
  }

  const rows = [];
  for (const finding of asked.findings) rows.push(stateRow("findings", finding, asked.states || SIDES_ASKED, answerAt(rows.length), sureOf(finding, rows.length)));
  for (const rating of asked.ratings) rows.push(scaleRow("ratings", rating, answerAt(rows.length)));
  for (const question of listed) rows.push({ ...ROWS[question.kind](question, answerAt(rows.length), { viewer, done: next(rows.length) }), question });
  const first = asked.findings.length;
  const comment = makeComment(onComment);
  const keys = (asked.states || SIDES_ASKED).map((state) => el("kbd", {}, ANSWER_KEYS[state][0]));
  const heading = asked.occasion === "series" ? t("questions.series") : asked.occasion === "guess" ? t("questions.guess_heading") : t("questions.heading");
  const root = el("aside", { className: "questions", "aria-label": t("questions.label") },
    el("div", { className: "heading" }, el("h2", {}, first || asked.occasion !== "pair" ? heading : t("questions.label")),
      el("div", { className: `states heads n${keys.length}`, "aria-hidden": "true", hidden: !first }, ...keys)),
    ...rows.slice(0, first).map((row) => row.root),
    el("div", { className: "gap" }),
    ...rows.slice(first).map((row) => row.root),
    comment.root,
    el("p", { className: "note", role: "status", hidden: true }));
  const note = root.querySelector(".note");

  /** Which questions the answers open; an answer to a question that is closed again counts for nothing. */
  function openRows() {
    const given = { ...answers.findings, ...answers.ratings };
    return rows.filter((row) => {
      const condition = row.question?.only_if;
      const open = !condition || condition.values.includes(given[condition.question]);
      if (open && row.question && answers.questions[row.key] !== undefined) given[row.key] = answers.questions[row.key];
      return open;
    });
  }

  function update(pixels) {
    const open = new Set(openRows());
    for (const row of rows) {
      row.root.hidden = !open.has(row);
      const value = answers[row.part][row.key];
      row.root.classList.toggle("answered", value !== undefined);
      row.show(value, locked, pixels);
      row.showSure?.(answers.questions[sureness?.key]?.[row.key], value, locked);
    }
  }

  /** To a row; one that is not asked just now is stepped over, in the direction of the step. */
  function go(index, focus = true) {
    const step = index < current ? -1 : 1;
    let to = Math.min(Math.max(index, 0), rows.length - 1);
    while (rows[to]?.root.hidden) to += step;
    const asked = (row) => !row.root.hidden;
    if (!rows[to]) to = step < 0 ? rows.findIndex(asked) : rows.findLastIndex(asked);
    if (!rows[to]) return;
    if (to !== current) rows[current].leave?.();
    current = to;
    rows.forEach((row, i) => {
      row.root.classList.toggle("current", i === current);
      row.root.tabIndex = i === current ? 0 : -1;
    });
    if (focus) rows[current].root.focus({ preventScroll: true });
    rows[current].root.scrollIntoView({ block: "nearest" });
  }

  rows.forEach((row, i) => {
    // A click answers without taking the keyboard away from the row; a field takes it.
    row.root.addEventListener("mousedown", (event) => {
      if (event.target.closest("input, textarea")) return go(i, false);
      event.preventDefault();
      go(i);
    });
    row.root.addEventListener("focusin", () => i !== current && go(i, false));
  });

  const missing = () => openRows().filter((row) => (row.question?.required ?? true) && answers[row.part][row.key] === undefined);

  function key(event) {
    const name = event.key;
    const row = rows[current];
    if (!row || (event.shiftKey && name.startsWith("Arrow"))) return false;
    if (name === "ArrowUp" || name === "ArrowDown") return go(current + (name === "ArrowUp" ? -1 : 1)), true;
    if (name === "Home" || name === "End") return go(name === "Home" ? 0 : rows.length - 1), true;
    if (locked) return false;
    if (row.press?.(event)) return true;
    if (row.enter) return row.enter(event);
    if (name === "ArrowLeft" || name === "ArrowRight") return stepAnswer(row, name === "ArrowLeft" ? -1 : 1), true;
    const sure = row.takesSure?.(answers[row.part][row.key]) ? row.sureByKey(name) : undefined;
    if (sure !== undefined) return row.giveSure(sure), true;
    const value = row.byKey(name.toLowerCase());
    if (value === undefined) return false;
    answerAt(current)(value);
    // Where the reader is also asked how sure he or she is, the row waits for the digit.
    if (!row.takesSure?.(value)) go(current + 1);
    return true;
  }

  function stepAnswer(row, step) {
    const at = row.values.indexOf(answers[row.part][row.key]);
    const to = at < 0 ? (step > 0 ? 0 : row.values.length - 1) : at + step;
    if (row.values[to] !== undefined) answerAt(current)(row.values[to]);
  }

  return {
    root,
    comment: comment.field,
    key,
    missing,
    occasion: asked.occasion || "pair",
    /** A key that a drawing on the image takes before the room does. */
    captures: (event) => Boolean(!locked && rows[current]?.captures?.(event)),
    /** A key in one of the fields: Escape goes back to the row, Enter in a field of one line to the next. */
    fieldKey(event) {
      const back = event.key === "Escape" || (event.key === "Enter" && event.composedPath()[0] instanceof HTMLInputElement);
      if (!back) return false;
      event.preventDefault();
      if (event.key === "Enter") go(current + 1);
      else rows[current]?.root.focus();
      return true;
    },
    /** What is answered and asked, in the form that the server keeps. */
    answers() {
      const open = new Set(openRows().map((row) => row.key));
      const kept = Object.fromEntries(Object.entries(answers.questions).filter(([key]) => open.has(key) || key === sureness?.key));
      const { findings, ratings, comment: text } = answers;
      return structuredClone({ findings, ratings, comment: text, ...(Object.keys(kept).length ? { questions: kept } : {}) });
    },
    show(given, isLocked, pixels = null) {
      answers = { findings: {}, ratings: {}, questions: {}, comment: "", ...structuredClone(given) };
      locked = isLocked;
      document.activeElement?.shadowRoot?.activeElement?.blur();
      update(pixels);
      rows.forEach((row) => row.root.classList.remove("missing"));
      comment.show(answers.comment, locked);
      note.hidden = true;
      go(Math.max(rows.indexOf(missing()[0]), 0));
    },
    lock() {
      rows[current]?.leave?.();
      locked = true;
    },
    setComment: (text) => (answers.comment = text),
    /** Point at what is still open; true if something is. */
    pointOut() {
      const open = missing();
      open.forEach((row) => row.root.classList.add("missing"));
      note.hidden = !open.length;
      const wayOut = open.some((row) => row.values.includes("cannot")) ? ` ${t("questions.cannot_counts")}` : "";
      note.textContent = open.length ? tn("questions.still_open", open.length) + wayOut : "";
      if (open.length) go(rows.indexOf(open[0]));
      return open.length > 0;
    },
    noteDone() {
      if (!note.hidden && !missing().length) note.hidden = true;
    },
    stop: () => rows.forEach((row) => row.stop?.()),
  };
}
