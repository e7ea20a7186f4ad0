// The comment on a case: any script in its own direction, up to a limit that is said before it is reached.

const MOST_CHARACTERS = 10000;
const SAY_FROM = 0.9;

/** `tell(text)` is called for what the reader types. Returns {root, field, show(text, locked)}. */
function makeComment(tell) {
  const field = el("textarea", { className: "comment", rows: 2, dir: "auto", placeholder: t("comment.hint"), "aria-label": t("comment.hint"), oninput: typed });
  const room = el("p", { className: "soft comment-room", role: "status", hidden: true });
  const root = el("div", { className: "comment-box" }, field, room);

  function sayRoom(cut = 0) {
    const used = field.value.length;
    room.hidden = !cut && used < SAY_FROM * MOST_CHARACTERS;
    room.textContent = cut ? t("comment.cut", { most: MOST_CHARACTERS, cut }) : t("comment.room", { used, most: MOST_CHARACTERS });
    room.classList.toggle("late", cut > 0);
  }

  function typed() {
    const cut = Math.max(field.value.length - MOST_CHARACTERS, 0);
    // A cut between the halves of a character outside the first plane would leave no character at all.
    if (cut) field.value = field.value.slice(0, MOST_CHARACTERS).replace(/[\uD800-\uDBFF]$/, "");
    sayRoom(cut);
    tell(field.value);
  }

  return {
    root,
    field,
    show(text, locked) {
      field.value = text || "";
      field.disabled = locked;
      sayRoom();
    },
  };
}
