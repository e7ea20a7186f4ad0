// One series: the case on the screen, the next one fetched ahead, the way back, and the answers on their way.

const HINTS = [["drag", "window"], ["wheel", "zoom"], ["shift drag", "pan"], ["space", "flicker A/B"], ["i", "invert"], ["shift 1–5", "presets"], ["r", "reset"], ["h", "all keys"]];
const sameAnswers = (a, b) => JSON.stringify([a.findings, a.ratings, a.comment || ""].map(sortKeys)) === JSON.stringify([b.findings, b.ratings, b.comment || ""].map(sortKeys));
const sortKeys = (value) => (typeof value === "string" ? value : Object.entries(value).sort());
const EMPTY = { findings: {}, ratings: {}, comment: "" };

/** `place` is {base, series}, or {base, rehearsal: true} where nothing is kept; `leave()` goes back. */
function makeRoom(root, place, leave) {
  const loaded = new Map(); // token -> promise of {one, values}
  const memory = new Map(); // token -> {sequence, answers, seconds} as last sent from here
  let info = null;
  let at = -1;
  let shown = null; // the case on the screen: what the server sent, with our sequence number
  let questions = null;
  let visit = 0;
  let commentTimer = 0;
  let stopped = false;
  let finished = null;

  const viewer = makeViewer();
  const status = el("span", { className: "status", role: "status" });
  const title = el("strong", { className: "title" });
  const where = el("span", { className: "soft place" });
  const bar = progressBar(0, 1);
  const label = el("span", { className: "soft" });
  const strip = el("nav", { className: "strip", hidden: true, "aria-label": "Cases" });
  const notice = el("div", { className: "notice", role: "alert", hidden: true });
  const side = el("div", { className: "side" });
  const veil = el("div", { className: "veil", role: "status" }, "Loading …");
  const cases = el("button", { type: "button", className: "quiet", "aria-expanded": "false", onclick: () => toggleStrip() }, "Cases");
  const back = el("button", { type: "button", className: "quiet", onclick: () => go(at - 1) }, "Back");
  const next = el("button", { type: "button", className: "main", onclick: () => forward() }, "Next case ↵");
  const hints = el("div", { className: "hints" }, ...HINTS.map(([key, what]) => el("span", {}, el("kbd", {}, key), what)));
  const help = makeHelp();
  const body = el("div", { className: "body" }, el("div", { className: "stage" }, viewer.root, veil), side);
  const header = el("header", { className: "top" }, title, where, bar, cases, el("span", { className: "spring" }), status, label,
    el("button", { type: "button", className: "quiet", onclick: () => leave() }, place.rehearsal ? "Leave" : "List"));
  const footer = el("footer", { className: "bottom" }, hints, el("span", { className: "spring" }), back, next);
  delete root.dataset.case;
  for (const button of [cases, back, next]) button.disabled = true;
  root.replaceChildren(header, strip, notice, body, footer, help);

  const outbox = (place.rehearsal ? makeNoOutbox : makeOutbox)(place.series, {
    tell: showStatus,
    onSaved: (token, echo) => {
      const one = info?.cases.find((c) => c.token === token);
      // An echo of an earlier state says nothing about the newer one that still waits.
      if (one && !outbox.waitingFor(token)) one.state = echo.complete ? "complete" : "started";
      showProgress();
    },
    onConflict: settleConflict,
    onRefused: (token, refusal) => say(`${nameOf(token)} was not saved: ${refusal.message}`),
  });

  const nameOf = (token) => {
    const index = info ? info.cases.findIndex((c) => c.token === token) : -1;
    return index < 0 ? "An answer" : `Case ${index + 1}`;
  };

  function say(text, ...actions) {
    const close = el("button", { type: "button", className: "quiet", onclick: () => (notice.hidden = true) }, "Close");
    notice.replaceChildren(el("span", {}, text), ...(actions.length ? actions : [close]));
    notice.hidden = false;
  }

  function settleConflict(token, mine, stored) {
    const used = Math.max(stored.sequence, mine.sequence);
    if (sameAnswers(mine.answers, stored.answers)) return;
    const button = (text, act) => el("button", { type: "button", className: "quiet", onclick: () => { notice.hidden = true; act(); } }, text);
    const current = () => (shown?.token === token ? shown : null);
    say(`${nameOf(token)} was also answered elsewhere, at ${clock(stored.saved_at)}. Which answers count?`,
      button("Mine, from here", () => {
        const sequence = used + 1;
        if (current()) current().sequence = sequence;
        outbox.put(token, sequence, current() ? questions.answers() : mine.answers, mine.seconds);
      }),
      button("Those from elsewhere", () => {
        loaded.delete(token);
        memory.delete(token);
        if (current()) go(at, true);
      }));
  }

  function showStatus(state) {
    status.classList.toggle("late", state.failed && state.waiting > 0);
    if (state.waiting && state.failed) {
      status.textContent = `${state.waiting === 1 ? "1 answer" : `${state.waiting} answers`} waiting to be sent`;
      if (state.signedOut) say("You are signed out. Your answers wait here until you are back.", el("a", { className: "main", href: signInAgain() }, "Sign in again"));
    } else if (state.waiting) status.textContent = "Saving …";
    else status.textContent = state.savedAt ? `Saved ${clock(state.savedAt)}` : "";
    status.classList.toggle("saved", !state.waiting && Boolean(state.savedAt));
    if (!state.waiting && finished && root.contains(finished)) showEnd();
  }

  function showProgress() {
    if (!info) return;
    const complete = info.cases.filter((c) => c.state === "complete").length;
    bar.setAttribute("aria-valuemax", info.total);
    bar.setAttribute("aria-valuenow", complete);
    bar.firstChild.style.width = `${(100 * complete) / Math.max(info.total, 1)}%`;
    where.textContent = at >= 0 && at < info.total ? `Case ${at + 1} of ${info.total}` : `${info.total} cases`;
    strip.replaceChildren(...info.cases.map((one, index) => {
      const words = { complete: "read", started: "begun", open: "not read" }[one.state];
      return el("button", {
        type: "button", className: `case ${one.state}`, "aria-current": String(index === at), disabled: index > furthest() && index !== at,
        "aria-label": `Case ${index + 1}, ${words}`, title: words, onclick: () => go(index),
      }, String(index + 1));
    }));
  }

  /** The first case that is not complete: nobody looks further ahead than that. */
  const furthest = () => {
    if (place.rehearsal) return info.total - 1;
    const open = info.cases.findIndex((c) => c.state !== "complete");
    return open < 0 ? info.total - 1 : open;
  };

  function toggleStrip(show = strip.hidden) {
    strip.hidden = !show;
    cases.setAttribute("aria-expanded", String(show));
    if (show) strip.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
  }

  function load(index) {
    const { token } = info.cases[index];
    if (!loaded.has(token)) {
      const fetched = ask(`${place.base}/case/${token}`).then(async (one) => {
        const [A, B] = await Promise.all(["A", "B"].map((letter) => fetchValues(one.pixels.urls[letter], one.pixels)));
        return { one, values: { A, B } };
      });
      fetched.catch(() => loaded.delete(token));
      loaded.set(token, fetched);
    }
    return loaded.get(token);
  }

  async function patiently(work) {
    for (let pause = 500; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        return await work();
      } catch (error) {
        if (stopped) throw error;
        if (error instanceof Refused && error.status < 500) {
          veil.hidden = true;
          const act = error.status === 401 ? [el("a", { className: "main", href: signInAgain() }, "Sign in again")] : [];
          say(error.message, ...act);
          throw error;
        }
        veil.textContent = "The server cannot be reached. Trying again …";
        veil.hidden = false;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  async function go(index, again = false) {
    if (!info || index < 0 || index >= info.total || (index === at && !again)) return;
    flushComment();
    at = index;
    const mine = ++visit;
    // Until the next pair is on the screen no key may answer for it, nor for the one before.
    shown = null;
    delete root.dataset.case;
    questions?.lock();
    finished?.remove();
    toggleStrip(false);
    showProgress();
    veil.textContent = "Loading …";
    const slow = setTimeout(() => mine === visit && ((veil.hidden = false), viewer.clear()), 150);
    const { one, values } = await patiently(() => load(index)).finally(() => clearTimeout(slow));
    if (mine !== visit || stopped) return;
    veil.hidden = true;
    present(one, values);
    const ahead = index + 1 < info.total && load(index + 1).catch(() => {});
    await ahead;
    for (const token of [...loaded.keys()]) if (![index - 1, index, index + 1].some((i) => info.cases[i]?.token === token)) loaded.delete(token);
  }

  function present(one, values) {
    if (!questions) {
      questions = makeQuestions(one.questions, { onAnswer: () => send(), onComment: later });
      side.replaceChildren(questions.root);
    }
    const unsent = outbox.waitingFor(one.token);
    const known = memory.get(one.token);
    const best = unsent || (known && known.sequence > one.sequence ? known : one);
    shown = { token: one.token, sequence: Math.max(best.sequence, one.sequence), seconds: best.seconds || 0, since: performance.now(), open: one.open };
    questions.show({ ...EMPTY, ...(best.answers || {}) }, !one.open);
    viewer.show(one.pixels, values);
    outbox.noteSaved(one.saved_at);
    root.dataset.case = at + 1;
    cases.disabled = next.disabled = false;
    back.disabled = at === 0;
    next.textContent = at + 1 === info.total ? "Finish ↵" : "Next case ↵";
    if (!one.open) say("This reading is closed. You can look at your answers; they no longer change.");
  }

  /** Seconds this case has been on the screen, over all visits. */
  function seconds() {
    return shown.seconds + (document.hidden ? 0 : (performance.now() - shown.since) / 1000);
  }

  function send() {
    const answers = questions.answers();
    shown.sequence += 1;
    memory.set(shown.token, { sequence: shown.sequence, answers, seconds: seconds() });
    info.cases[at].state = questions.missing().length ? "started" : "complete";
    questions.noteDone();
    showProgress();
    outbox.put(shown.token, shown.sequence, answers, seconds());
  }

  function later(text) {
    questions.setComment(text);
    clearTimeout(commentTimer);
    commentTimer = setTimeout(() => ((commentTimer = 0), send()), 600);
  }

  function flushComment() {
    if (!commentTimer || !shown) return;
    clearTimeout(commentTimer);
    commentTimer = 0;
    send();
  }

  function forward() {
    if (!shown) return;
    flushComment();
    if (shown.open && questions.pointOut()) return;
    if (at + 1 < info.total) go(at + 1);
    else {
      const open = info.cases.findIndex((c) => c.state !== "complete");
      if (shown.open && open >= 0) go(open);
      else showEnd();
    }
  }

  function showEnd() {
    finished?.remove();
    const { waiting } = outbox.state();
    const text = place.rehearsal ? "This was a rehearsal: nothing has been saved." : waiting
      ? `${waiting === 1 ? "One answer is" : `${waiting} answers are`} still on the way. Keep this page open until everything is saved.`
      : "Everything is saved. You may go back to any case until the reading is closed.";
    finished = el("div", { className: "end", role: "dialog", "aria-label": "Finished" },
      el("h2", {}, info.total === 1 ? "The case is read" : `All ${info.total} cases are read`), el("p", {}, text),
      el("div", { className: "actions" },
        el("button", { type: "button", className: "main", onclick: () => leave() }, place.rehearsal ? "Leave" : "Back to the list"),
        el("button", { type: "button", className: "quiet", onclick: () => { finished.remove(); toggleStrip(true); } }, "Look at a case again")));
    root.append(finished);
    finished.querySelector("button").focus();
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (event.ctrlKey && event.key === "Enter") forward();
      return;
    }
    // Streamlit has keys of its own ("r" reruns, "c" clears its cache): none of them may reach it from here.
    event.stopPropagation();
    const target = event.composedPath()[0];
    if (target instanceof HTMLTextAreaElement) {
      if (event.key === "Escape") {
        flushComment();
        questions.root.querySelector(".current")?.focus();
      }
      return;
    }
    const native = target instanceof Element && target.closest("button:not(.state):not(.point), a");
    if (native && ["Enter", " "].includes(event.key)) return;
    if (roomKey(event) || (shown && !finished?.isConnected && questions.key(event))) event.preventDefault();
  }

  function roomKey(event) {
    const { key, code, shiftKey } = event;
    if (key === "Escape") {
      help.hidden = true;
      toggleStrip(false);
      return true;
    }
    if (shiftKey && /^Digit[1-5]$/.test(code) && !/^[0-9]$/.test(key)) return viewer.preset(Number(code.slice(-1)) - 1), true;
    if (shiftKey && key.startsWith("Arrow")) {
      const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
      return viewer.pan(dx, dy), true;
    }
    const act = {
      Enter: forward, Backspace: () => go(at - 1), " ": viewer.flicker, i: viewer.invert, e: viewer.exact,
      r: () => shown && viewer.reset(), w: () => shown && viewer.nextPreset(), "+": () => viewer.zoom(1.25), "-": () => viewer.zoom(0.8),
      ",": () => viewer.level(1), ".": () => viewer.level(-1), c: () => viewer.contrast(-1), v: () => viewer.contrast(1),
      o: () => toggleStrip(), h: () => (help.hidden = !help.hidden), m: () => questions?.comment.focus(),
    }[key.length === 1 ? key.toLowerCase() : key];
    if (!act) return false;
    act();
    return true;
  }

  const onHide = () => {
    if (!shown) return;
    if (document.hidden) shown.seconds += (performance.now() - shown.since) / 1000;
    shown.since = performance.now();
    if (document.hidden) flushComment();
  };

  async function start() {
    info = await patiently(() => ask(`${place.base}/cases`));
    title.textContent = info.title;
    label.textContent = place.rehearsal ? "Rehearsal, nothing is saved" : `Reader ${info.reader}`;
    for (const one of info.cases) if (outbox.waitingFor(one.token) && one.state === "open") one.state = "started";
    outbox.hurry();
    await go(info.at ?? (info.open ? info.total - 1 : 0)).catch(() => {});
    if (info.at === null && info.open) showEnd();
  }

  window.addEventListener("keydown", onKey, true);
  document.addEventListener("visibilitychange", onHide);
  window.addEventListener("pagehide", flushComment);
  start().catch(() => {});
  return {
    stop() {
      flushComment();
      delete root.dataset.case;
      stopped = true;
      outbox.stop();
      viewer.stop();
      window.removeEventListener("keydown", onKey, true);
      document.removeEventListener("visibilitychange", onHide);
      window.removeEventListener("pagehide", flushComment);
    },
  };
}
