// The checklist beside the images: five states a finding, points a rating, one comment.

const STATES = [
  { value: "A", keys: ["a"] },
  { value: "B", keys: ["b"] },
  { value: "both", keys: ["x"] },
  { value: "neither", keys: ["n"] },
  { value: "cannot", keys: ["q", "?"] },
];

function findingRow(finding, answer) {
  const buttons = STATES.map((state) =>
    el("button", {
      type: "button", className: "state", tabIndex: -1, "aria-pressed": "false", "data-value": state.value,
      "aria-label": `${finding.label}: ${t(`state.${state.value}.means`)}`, title: `${t(`state.${state.value}.means`)} (${state.keys[0]})`,
      onclick: () => answer(state.value),
    }, t(`state.${state.value}`)),
  );
  const root = el("div", { className: "row finding", role: "group", tabIndex: -1, "aria-label": finding.label, "data-key": finding.key },
    el("span", { className: "label", dir: "auto" }, finding.label), el("div", { className: "states" }, ...buttons));
  return {
    root, buttons, kind: "findings", key: finding.key, values: STATES.map((s) => s.value),
    byKey: (key) => STATES.find((s) => s.keys.includes(key))?.value,
  };
}

function ratingRow(rating, answer) {
  const values = Array.from({ length: rating.points }, (_, i) => i + 1);
  const buttons = values.map((value) =>
    el("button", {
      type: "button", className: "point", tabIndex: -1, "aria-pressed": "false", "data-value": value,
      "aria-label": `${rating.question}: ${t("questions.of", { value, points: rating.points })}`, onclick: () => answer(value),
    }, String(value)),
  );
  const root = el("div", { className: "row rating", role: "group", tabIndex: -1, "aria-label": rating.question, "data-key": rating.key },
    el("span", { className: "label", dir: "auto" }, rating.question),
    el("div", { className: "points" }, ...buttons),
    el("div", { className: "ends", "aria-hidden": "true" }, el("span", { dir: "auto" }, rating.low), el("span", { dir: "auto" }, rating.high)));
  return {
    root, buttons, kind: "ratings", key: rating.key, values,
    byKey: (key) => (/^[0-9]$/.test(key) ? values.find((v) => v === (key === "0" ? 10 : Number(key))) : undefined),
  };
}

/** `onAnswer(kind, key, value)` and `onComment(text)` are called for what the reader does, not for `show`. */
function makeQuestions(asked, { onAnswer, onComment }) {
  let answers = { findings: {}, ratings: {}, comment: "" };
  let current = 0;
  let locked = false;

  const answerAt = (index) => (value) => {
    if (locked) return;
    const row = rows[index];
    if (answers[row.kind][row.key] === value) return;
    answers[row.kind][row.key] = value;
    row.root.classList.remove("missing");
    update(row);
    onAnswer(row.kind, row.key, value);
  };
  const rows = [
    ...asked.findings.map((finding, i) => findingRow(finding, answerAt(i))),
    ...asked.ratings.map((rating, i) => ratingRow(rating, answerAt(asked.findings.length + i))),
  ];
  const comment = makeComment(onComment);
  const heads = STATES.map((state) => el("kbd", {}, state.keys[0]));
  const root = el("aside", { className: "questions", "aria-label": t("questions.label") },
    el("div", { className: "heading" }, el("h2", {}, t("questions.heading")), el("div", { className: "states heads", "aria-hidden": "true" }, ...heads)),
    ...rows.slice(0, asked.findings.length).map((row) => row.root),
    el("div", { className: "gap" }),
    ...rows.slice(asked.findings.length).map((row) => row.root),
    comment.root,
    el("p", { className: "note", role: "status", hidden: true }));
  const note = root.querySelector(".note");

  function update(row) {
    const value = answers[row.kind][row.key];
    row.root.classList.toggle("answered", value !== undefined);
    row.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(row.values[i] === value)));
  }

  function go(index, focus = true) {
    current = Math.min(Math.max(index, 0), rows.length - 1);
    rows.forEach((row, i) => {
      row.root.classList.toggle("current", i === current);
      row.root.tabIndex = i === current ? 0 : -1;
    });
    if (focus) rows[current].root.focus({ preventScroll: true });
    rows[current].root.scrollIntoView({ block: "nearest" });
  }

  rows.forEach((row, i) => {
    // A click answers without taking the keyboard away from the row.
    row.root.addEventListener("mousedown", (event) => {
      event.preventDefault();
      go(i);
    });
    row.root.addEventListener("focus", () => i !== current && go(i, false));
  });

  const missing = () => rows.filter((row) => answers[row.kind][row.key] === undefined);

  function key(event) {
    const name = event.key;
    if (event.shiftKey && name.startsWith("Arrow")) return false;
    if (name === "ArrowUp" || name === "ArrowDown") go(current + (name === "ArrowUp" ? -1 : 1));
    else if (name === "Home" || name === "End") go(name === "Home" ? 0 : rows.length - 1);
    else if (name === "ArrowLeft" || name === "ArrowRight") {
      const row = rows[current];
      const at = row.values.indexOf(answers[row.kind][row.key]);
      const step = name === "ArrowLeft" ? -1 : 1;
      const next = at < 0 ? (step > 0 ? 0 : row.values.length - 1) : at + step;
      if (row.values[next] !== undefined) answerAt(current)(row.values[next]);
    } else {
      const value = rows[current].byKey(name.toLowerCase());
      if (value === undefined) return false;
      answerAt(current)(value);
      if (!locked) go(current + 1);
    }
    return true;
  }

  return {
    root,
    comment: comment.field,
    key,
    missing,
    answers: () => structuredClone(answers),
    show(given, isLocked) {
      answers = structuredClone(given);
      locked = isLocked;
      rows.forEach((row) => {
        update(row);
        row.root.classList.remove("missing");
        row.buttons.forEach((button) => (button.disabled = locked));
      });
      comment.show(answers.comment, locked);
      note.hidden = true;
      go(Math.max(rows.findIndex((row) => answers[row.kind][row.key] === undefined), 0));
    },
    lock: () => (locked = true),
    setComment: (text) => (answers.comment = text),
    /** Point at what is still open; true if something is. */
    pointOut() {
      const open = missing();
      open.forEach((row) => row.root.classList.add("missing"));
      note.hidden = !open.length;
      const wayOut = open.some((row) => row.kind === "findings") ? ` ${t("questions.cannot_counts")}` : "";
      note.textContent = open.length ? tn("questions.still_open", open.length) + wayOut : "";
      if (open.length) go(rows.indexOf(open[0]));
      return open.length > 0;
    },
    noteDone() {
      if (!note.hidden && !missing().length) note.hidden = true;
    },
  };
}
