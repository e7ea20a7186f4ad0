// The way into a series: what it is, in which language, the screen check where it is due, then the room.

/** `place` is {base, series}, or {base, rehearsal: true} where nothing is kept; `leave()` goes back. */
function openRoom(root, place, leave) {
  let stopped = false;
  let room = null;
  const veil = el("div", { className: "middle", role: "status" }, el("p", { className: "soft" }, t("room.loading")));
  const show = (text, ...actions) => veil.replaceChildren(el("p", {}, text), ...actions);
  const back = el("button", { type: "button", className: "quiet", onclick: () => leave() }, t("room.list"));
  const patience = {
    refused: (error) => show(refusalText(error), error.status === 401 ? el("a", { className: "main", href: signInAgain() }, t("sign_in.again")) : back),
    away: () => show(t("server.trying")),
    stopped: () => stopped,
  };
  root.replaceChildren(veil);

  /** What was seen goes to the server beside the reading, again and again until it is there. */
  function keepCheck(found) {
    const send = () => ask(`${place.base}/check`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(found) });
    patiently(send, { refused() {}, away() {}, stopped: () => stopped }).catch(() => {});
  }

  async function enter(recheck = false) {
    const info = await patiently(() => ask(`${place.base}/cases`), patience);
    if (stopped) return;
    if (info.profile) {
      location.replace(`${info.profile}?lang=${language}`);
      return;
    }
    if (info.viewing.language) speak(info.viewing.language, { fixed: true });
    root.lang = language;
    root.style.setProperty("--open-mark", JSON.stringify(t("questions.open_mark")));
    if (info.check || recheck) {
      const found = await checkScreen(root);
      if (stopped) return;
      if (!place.rehearsal) keepCheck(found);
    }
    room = makeRoom(root, place, info, {
      leave,
      recheck: () => again(true),
      relabel: info.viewing.language ? null : () => again(false),
    });
  }
  function again(recheck) {
    room?.stop();
    room = null;
    enter(recheck).catch(() => {});
  }
  enter().catch(() => {});
  return {
    stop() {
      stopped = true;
      room?.stop();
    },
  };
}
