// One row a question: {root, part, key, show(value, locked), byKey(key) -> value, values} and what a kind adds to it.

const ANSWER_KEYS = {
  A: ["a"], B: ["b"], both: ["x"], neither: ["n"], cannot: ["q", "?"], present: ["y"], absent: ["n"],
  same: ["s"], different: ["d"], unsure: ["q", "?"],
};
const isDigit = (key) => /^[0-9]$/.test(key);
const label = (text) => el("span", { className: "label", dir: "auto" }, text);
/** In an adjudication: how many readers gave which answer, never who. */
const votesOf = (votes) => el("span", { className: "votes soft" }, Object.entries(votes).map(([value, n]) => `${n} × ${t(`state.${value}.means`)}`).join(" · "));

/** Buttons of which one is pressed. `options`: [{value, text, means, keys}]; `wrap` puts them into the row. */
function buttonRow({ part, key, name, className, button = "state", options, wrap }, answer) {
  const buttons = options.map((option) =>
    el("button", {
      type: "button", className: button, tabIndex: -1, "aria-pressed": "false", "data-value": option.value, dir: "auto",
      "aria-label": `${name}: ${option.means}`, title: option.keys[0] ? `${option.means} (${option.keys[0]})` : option.means,
      onclick: () => answer(option.value),
    }, option.text));
  const root = el("div", { className: `row ${className}`, role: "group", tabIndex: -1, "aria-label": name, "data-key": key }, label(name), ...wrap(buttons));
  return {
    root, part, key,
    values: options.map((option) => option.value),
    byKey: (pressed) => options.find((option) => option.keys.includes(pressed))?.value,
    show(value, locked) {
      buttons.forEach((one, i) => {
        one.setAttribute("aria-pressed", String(options[i].value === value));
        one.disabled = locked;
      });
    },
  };
}

const stateOptions = (values) => values.map((value) => ({ value, text: t(`state.${value}`), means: t(`state.${value}.means`), keys: ANSWER_KEYS[value] }));
const numbered = (options) => options.map((option, i) => ({ ...option, keys: [...option.keys, String(i + 1)] }));

/** A finding with its states, and below them how sure the reader is where that is asked (`sureness`). */
function stateRow(part, item, values, answer, sureness = null) {
  const row = buttonRow({
    part, key: item.key, name: item.label ?? item.text, className: sureness ? "finding two" : "finding", options: stateOptions(values),
    wrap: (buttons) => [el("div", { className: `states n${values.length}` }, ...buttons)],
  }, answer);
  if (item.votes) row.root.querySelector(".label").append(votesOf(item.votes));
  if (!sureness) return row;
  const { question, give } = sureness;
  const points = Array.from({ length: question.points }, (_, i) => i + 1);
  const buttons = points.map((value) => el("button", {
    type: "button", className: "point", tabIndex: -1, "aria-pressed": "false", "data-sure": value,
    "aria-label": `${item.label}, ${question.text}: ${t("questions.of", { value, points: question.points })}`, onclick: () => give(value),
  }, String(value)));
  const box = el("div", { className: "sure", hidden: true }, el("span", { className: "soft", dir: "auto" }, question.low), el("div", { className: "points" }, ...buttons), el("span", { className: "soft", dir: "auto" }, question.high));
  row.root.append(box);
  return {
    ...row,
    takesSure: (value) => value !== undefined && value !== "cannot",
    sureByKey: (key) => (isDigit(key) ? points.find((value) => value === Number(key)) : undefined),
    giveSure: give,
    showSure(value, state, locked) {
      box.hidden = state === undefined || state === "cannot";
      buttons.forEach((one, i) => {
        one.setAttribute("aria-pressed", String(points[i] === value));
        one.disabled = locked;
      });
    },
  };
}

/** Points of a scale from `low` to `high`. */
function scaleRow(part, item, answer) {
  const name = item.question ?? item.text;
  const options = Array.from({ length: item.points }, (_, i) => i + 1).map((value) => ({
    value, text: String(value), means: t("questions.of", { value, points: item.points }), keys: value <= 10 ? [String(value % 10)] : [],
  }));
  return buttonRow({
    part, key: item.key, name, className: "rating", button: "point", options,
    wrap: (buttons) => [el("div", { className: "points" }, ...buttons), ends(item)],
  }, answer);
}

const ends = ({ low, high }) => el("div", { className: "ends", "aria-hidden": "true" }, el("span", { dir: "auto" }, low), el("span", { dir: "auto" }, high));

/** Two or more buttons with words, a digit each. */
function choiceRow(part, item, answer) {
  const words = item.kind === "choice" && item.key !== "guess";
  const options = numbered(words ? item.values.map((value) => ({ value, text: value, means: value, keys: [] })) : stateOptions(item.values).map((option) => ({ ...option, text: t(`choice.${option.value}`), means: t(`choice.${option.value}`) })));
  const name = item.key === "guess" ? t("questions.guess") : item.text;
  const long = options.some((option) => option.text.length > 14);
  return buttonRow({
    part, key: item.key, name, className: "rating", button: "point word", options,
    wrap: (buttons) => [el("div", { className: long ? "words long" : "words" }, ...buttons)],
  }, answer);
}

/** A line from 0 to 100; nothing stands on it until the reader has answered, so that no place is suggested. */
function lineRow(part, item, answer) {
  const thumb = el("i", { hidden: true });
  const line = el("div", { className: "line", role: "slider", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": item.text }, el("b"), thumb);
  const root = el("div", { className: "row rating", role: "group", tabIndex: -1, "aria-label": item.text, "data-key": item.key }, label(item.text), line, ends(item));
  let now;
  let locked = false;
  const put = (value) => {
    now = value;
    thumb.hidden = value === undefined;
    if (value === undefined) return line.removeAttribute("aria-valuenow");
    thumb.style.left = `${value}%`;
    line.setAttribute("aria-valuenow", value);
  };
  const at = (event) => {
    const box = line.getBoundingClientRect();
    return Math.round(Math.min(Math.max((100 * (event.clientX - box.left)) / box.width, 0), 100));
  };
  line.addEventListener("pointerdown", (event) => {
    if (locked) return;
    line.setPointerCapture(event.pointerId);
    put(at(event));
  });
  line.addEventListener("pointermove", (event) => line.hasPointerCapture(event.pointerId) && put(at(event)));
  line.addEventListener("pointerup", () => !locked && now !== undefined && answer(now));
  const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 };
  return {
    root, part, key: item.key, values: [],
    byKey: (key) => (isDigit(key) ? 10 * Number(key) : undefined),
    press(event) {
      const step = STEPS[event.key];
      if (!step) return false;
      answer(now === undefined ? 50 : Math.min(Math.max(now + step, 0), 100));
      return true;
    },
    show(value, isLocked) {
      locked = isLocked;
      put(value);
    },
  };
}

/** What a number field says: the number, undefined where it is empty, NaN where it is none or does not fit. */
function readNumber(text, { low, high, decimals }) {
  const plain = text.trim().replace(",", ".").replace("−", "-");
  if (!plain) return undefined;
  const fits = /^-?\d*\.?\d*$/.test(plain) && (plain.split(".")[1] || "").length <= decimals;
  const value = fits && /\d/.test(plain) ? Number(plain) : NaN;
  return value >= low && value <= high ? value : NaN;
}

function numberRow(part, item, answer) {
  const unit = item.unit ? ` ${item.unit}` : "";
  const span = t("number.span", { low: item.low, high: item.high, unit });
  const field = el("input", { type: "text", className: "number", inputmode: item.low < 0 ? "text" : "decimal", tabIndex: -1, "aria-label": `${item.text} (${span})`, autocomplete: "off" });
  const hint = el("span", { className: "soft", role: "status" }, span);
  const root = el("div", { className: "row rating", role: "group", tabIndex: -1, "aria-label": item.text, "data-key": item.key }, label(item.text), el("div", { className: "entry" }, field, el("span", {}, item.unit), hint));
  const typed = () => {
    const value = readNumber(field.value, item);
    const wrong = Number.isNaN(value);
    root.classList.toggle("wrong", wrong);
    hint.textContent = wrong ? t("number.wrong", { span, decimals: item.decimals }) : span;
    answer(wrong ? undefined : value, { typed: true });
  };
  field.addEventListener("input", typed);
  return {
    root, part, key: item.key, values: [], field, byKey: () => undefined,
    enter(event) {
      if (event.key === "ArrowRight") return field.focus(), true;
      // The digit itself goes on into the field.
      if (isDigit(event.key)) field.focus();
      return false;
    },
    show(value, locked) {
      field.disabled = locked;
      if (field.matches(":focus")) return;
      root.classList.remove("wrong");
      hint.textContent = span;
      field.value = value === undefined ? "" : String(value);
    },
  };
}

function textRow(part, item, answer) {
  const field = el("textarea", { className: "comment", rows: 2, maxlength: item.longest, dir: "auto", tabIndex: -1, "aria-label": item.text });
  field.addEventListener("input", () => answer(field.value.trim() ? field.value : undefined, { typed: true }));
  const root = el("div", { className: "row rating", role: "group", tabIndex: -1, "aria-label": item.text, "data-key": item.key }, label(item.text), field);
  return {
    root, part, key: item.key, values: [], field, byKey: () => undefined,
    enter: (event) => event.key === "ArrowRight" && (field.focus(), true),
    show(value, locked) {
      field.disabled = locked;
      if (!field.matches(":focus")) field.value = value ?? "";
    },
  };
}
