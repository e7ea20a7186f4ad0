// One series: the case on the screen, the next ones fetched ahead, the way back, and the answers on their way.

const EMPTY = { findings: {}, ratings: {}, comment: "" };

/** Equal as answers: the order of keys and empty parts say nothing. */
const canonical = (value) => (value && typeof value === "object" && !Array.isArray(value)
  ? Object.fromEntries(Object.entries(value).filter(([, v]) => v !== "" && !(v && typeof v === "object" && !Object.keys(v).length)).sort().map(([k, v]) => [k, canonical(v)]))
  : value);
const sameState = (a, b) => JSON.stringify(canonical([a.answers, a.measures].map(canonical))) === JSON.stringify(canonical([b.answers, b.measures].map(canonical)));
const withoutRatio = (measures) => Object.fromEntries(Object.entries(measures || {}).map(([letter, { ratio, ...lines }]) => [letter, lines]));

/** `info`: what the server says of the series. `doors`: leave(), recheck() the screen, relabel() in another language. */
function makeRoom(root, place, info, doors) {
  const { viewing } = info;
  const memory = new Map(); // token -> {sequence, answers, measures, seconds, idle} as last sent from here
  const past = new Map(); // token -> states before each change, for undo
  let at = -1;
  let shown = null; // the case on the screen: {token, sequence, open, state}
  let questions = null;
  let asked = "";
  let visit = 0;
  let commentTimer = 0;
  let stopped = false;
  let finished = null;
  let measuring = false;
  let practising = null; // the practice case on the screen, as the server tells it
  let practiceTimer = 0;
  let early = null; // the practice case that its reader wanted to leave before what was right had been seen

  const log = (place.rehearsal || place.chair ? makeNoLog : makeViewingLog)();
  const time = makeReadingClock(viewing.idle_seconds, viewing.break_minutes);
  const act = {
    forward, back: () => go(at - 1), cases: () => toggleStrip(), undo, leaveField, help: () => (help.hidden = !help.hidden),
    mode: (name) => viewer.setMode(name), preset: (name) => viewer.preset(name), invert: () => viewer.invert(), swap: () => viewer.swap(),
    magnifier: () => viewer.magnifier(), pixelTrue: () => viewer.pixelTrue(), reset: () => viewer.reset(), measure: () => measureTool(),
  };
  const tools = makeToolbar(viewing, act);
  const viewer = makeViewer(viewing, { changed: tools.update, note: log.note });
  const practice = makePractice();
  const measure = makeMeasure({ done: () => (log.note("measure"), send()), redraw: viewer.redraw });
  viewer.addLayer(measure.layer);

  const status = el("span", { className: "status", role: "status" });
  const where = el("span", { className: "soft place" });
  const bar = progressBar(0, 1);
  const strip = el("nav", { className: "strip", hidden: true, "aria-label": t("room.cases") });
  const notice = el("div", { className: "notice", role: "alert", hidden: true });
  const side = el("div", { className: "side" });
  const veil = el("div", { className: "veil", role: "status" }, t("room.loading"));
  const cases = el("button", { type: "button", className: "quiet", "aria-expanded": "false", onclick: () => toggleStrip() }, t("room.cases"));
  const back = el("button", { type: "button", className: "quiet", onclick: () => go(at - 1) }, t("room.back"));
  const next = el("button", { type: "button", className: "main", onclick: () => forward() });
  const help = makeHelp(doors.recheck, doors.relabel);
  const label = place.rehearsal ? t("room.rehearsal") : place.chair ? t("room.chair") : t("room.reader", { label: info.reader });
  const header = el("header", { className: "top" }, el("strong", { className: "title", dir: "auto" }, info.title), where, bar, cases, el("span", { className: "spring" }), status,
    el("span", { className: "soft" }, label), el("button", { type: "button", className: "quiet", onclick: () => doors.leave() }, t(place.rehearsal ? "room.leave" : "room.list")));
  const footer = el("footer", { className: "bottom" }, tools.root, el("span", { className: "spring" }), back, next);
  delete root.dataset.case;
  for (const button of [cases, back, next]) button.disabled = true;
  next.textContent = `${t("room.next")} ↵`;
  root.replaceChildren(header, strip, notice, el("div", { className: "body" }, el("div", { className: "stage" }, viewer.root, measure.hint, veil), side), footer, help);

  const store = makeCases(place.base, info.cases, viewing.preset);
  const outbox = (place.rehearsal ? makeNoOutbox : makeOutbox)(place.series, {
    address: place.answer,
    tell: showStatus,
    onSaved: (token, echo) => {
      const one = info.cases.find((c) => c.token === token);
      // An echo of an earlier state says nothing about the newer one that still waits.
      if (one && !outbox.waitingFor(token)) one.state = echo.complete ? "complete" : "started";
      if (echo.feedback) practice.tell(token, echo.feedback);
      if (echo.feedback && shown?.token === token) practice.show(practising);
      showProgress();
    },
    onConflict: settleConflict,
    onRefused: (token, refusal) => say(t("room.not_saved", { what: nameOf(token), why: refusalText(refusal) })),
  });
  const tabs = (place.rehearsal ? makeNoTabs : makeTabs)(place.series, {
    onHeld: (token, since) => stepBack(token, "tab.held", since),
    onTaken: (token, when) => stepBack(token, "tab.taken", when),
    async free(token) {
      for (let tries = 0; outbox.waitingFor(token) && tries < 20; tries++) await new Promise((resolve) => setTimeout(resolve, 100));
    },
  });
  const keys = watchKeys({
    act, viewer, questions: () => questions, busy: () => !shown || finished?.isConnected,
    escape() {
      help.hidden = true;
      toggleStrip(false);
      if (measuring) measureTool(false);
    },
  });

  function nameOf(token) {
    const index = info.cases.findIndex((c) => c.token === token);
    return index < 0 ? t("room.answer") : t("room.case", { number: index + 1 });
  }

  const quiet = (text, does) => el("button", { type: "button", className: "quiet", onclick: () => ((notice.hidden = true), does?.()) }, text);
  function say(text, ...actions) {
    notice.replaceChildren(el("span", {}, text), ...(actions.length ? actions : [quiet(t("close"))]));
    notice.hidden = false;
  }

  /** Another tab of this browser has the case: here it can be looked at, not answered. */
  function stepBack(token, why, when) {
    if (shown?.token !== token) return;
    flushComment();
    tabs.leave();
    time.pause();
    shown.open = false;
    questions.show(questions.answers(), true);
    measure.show(measure.measures(), null, true);
    log.note("taken");
    say(t(why, { what: nameOf(token), time: clock(when) }), quiet(t("tab.take"), async () => {
      await tabs.take(token);
      store.forget(token);
      memory.delete(token);
      outbox.readAgain(token);
      go(at, true);
    }));
  }

  function settleConflict(token, mine, stored) {
    const used = Math.max(stored.sequence, mine.sequence);
    if (sameState(mine, { answers: stored.answers, measures: withoutRatio(stored.measures) })) return;
    const current = () => (shown?.token === token ? shown : null);
    say(t("elsewhere.which", { what: nameOf(token), time: clock(stored.saved_at) }),
      quiet(t("elsewhere.mine"), () => {
        const sequence = used + 1;
        if (current()) current().sequence = sequence;
        const { sequence: _, changes: __, token: ___, ...state } = mine;
        outbox.put(token, sequence, current() ? { ...now(), ...time.read() } : state);
      }),
      quiet(t("elsewhere.theirs"), () => {
        store.forget(token);
        memory.delete(token);
        past.delete(token);
        if (current()) go(at, true);
      }));
  }

  function showStatus(state) {
    status.classList.toggle("late", state.failed && state.waiting > 0);
    if (state.waiting && state.failed) {
      status.textContent = tn("saved.waiting", state.waiting);
      if (state.signedOut) say(t("sign_in.needed"), el("a", { className: "main", href: signInAgain() }, t("sign_in.again")));
    } else if (state.waiting) status.textContent = t("saved.saving");
    else status.textContent = state.savedAt ? t("saved.at", { time: clock(state.savedAt) }) : "";
    status.classList.toggle("saved", !state.waiting && Boolean(state.savedAt));
    if (!state.waiting && finished && root.contains(finished)) showEnd();
  }

  function showProgress() {
    const complete = info.cases.filter((c) => c.state === "complete").length;
    bar.setAttribute("aria-valuemax", info.total);
    bar.setAttribute("aria-valuenow", complete);
    bar.firstChild.style.width = `${(100 * complete) / Math.max(info.total, 1)}%`;
    where.textContent = at >= 0 && at < info.total ? t("room.case_of", { number: at + 1, total: info.total }) : tn("room.cases_all", info.total);
    if (!strip.hidden) fillStrip();
  }

  function fillStrip() {
    strip.replaceChildren(...info.cases.map((one, index) => {
      const words = t(`room.case_state.${one.state}`, { number: index + 1 });
      return el("button", {
        type: "button", className: `case ${one.state}`, "aria-current": String(index === at), disabled: index > furthest() && index !== at,
        "aria-label": words, title: words, onclick: () => go(index),
      }, String(index + 1));
    }));
  }

  /** The first case that is not complete: nobody looks further ahead than that. */
  function furthest() {
    if (place.rehearsal) return info.total - 1;
    const open = info.cases.findIndex((c) => c.state !== "complete");
    return open < 0 ? info.total - 1 : open;
  }

  function toggleStrip(show = strip.hidden) {
    strip.hidden = !show;
    cases.setAttribute("aria-expanded", String(show));
    if (!show) return;
    fillStrip();
    strip.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
  }

  async function go(index, again = false) {
    if (index < 0 || index >= info.total || (index === at && !again)) return;
    leaveCase();
    at = index;
    const mine = ++visit;
    finished?.remove();
    toggleStrip(false);
    showProgress();
    veil.textContent = t("room.loading");
    const slow = setTimeout(() => mine === visit && ((veil.hidden = false), viewer.clear()), 150);
    const ready = await patiently(() => store.get(index), {
      refused(error) {
        veil.hidden = true;
        back.disabled = index === 0;
        say(refusalText(error), ...(error.status === 401 ? [el("a", { className: "main", href: signInAgain() }, t("sign_in.again"))] : []));
      },
      away() {
        veil.textContent = t("server.trying");
        veil.hidden = false;
      },
      stopped: () => stopped || mine !== visit,
    }).finally(() => clearTimeout(slow));
    if (mine !== visit || stopped) return;
    veil.hidden = true;
    present(ready);
    const due = time.breakDue();
    if (due && !again) say(t("room.break", { minutes: due }), quiet(t("later")));
    await store.ahead(index);
  }

  /** Until the next pair is on the screen no key may answer for it, nor for the one before. */
  function leaveCase() {
    flushComment();
    if (shown) {
      viewer.settleAll();
      log.leave();
      tabs.leave();
      time.pause();
    }
    if (measuring) measureTool(false);
    shown = null;
    delete root.dataset.case;
    questions?.lock();
  }

  function ask_(one) {
    const form = JSON.stringify(one.questions);
    if (form === asked) return;
    asked = form;
    questions?.stop();
    questions = makeQuestions(one.questions, { onAnswer: () => send(), onComment: later, viewer });
    side.replaceChildren(practice.root, questions.root);
  }

  function present({ one, values, presets, sheet }) {
    ask_(one);
    const unsent = outbox.waitingFor(one.token);
    const known = memory.get(one.token);
    const best = unsent || (known && known.sequence > one.sequence ? known : one);
    const state = { answers: { ...EMPTY, ...(best.answers || {}) }, measures: withoutRatio(best.measures) };
    shown = { token: one.token, sequence: Math.max(best.sequence, one.sequence), open: one.open, state };
    practising = one.feedback ? one : null;
    practice.show(one);
    time.start(best);
    tools.root.hidden = !values;
    root.classList.toggle("bare", !values);
    if (values) viewer.show(one.pixels, values, presets, sheet);
    else viewer.clear();
    questions.show(state.answers, !one.open, one.pixels);
    measure.show(state.measures, one.pixels, !one.open);
    log.enter(one.token, values ? { view: viewing.view, preset: viewing.preset } : {});
    outbox.noteSaved(one.saved_at);
    root.dataset.case = at + 1;
    cases.disabled = next.disabled = false;
    back.disabled = at === 0;
    next.textContent = `${t(at + 1 === info.total ? "room.finish" : "room.next")} ↵`;
    tools.canUndo(past.get(one.token)?.length);
    if (one.open) tabs.hold(one.token);
    else say(t("room.closed"));
  }

  /** What the reader has said of the case on the screen. */
  const now = () => ({ answers: questions.answers(), measures: measure.measures() });

  function send(keep = true) {
    clearTimeout(practiceTimer);
    early = null;
    const state = now();
    if (keep) past.set(shown.token, [...(past.get(shown.token) || []), shown.state]);
    shown.state = state;
    shown.sequence += 1;
    const sent = { ...state, ...time.read() };
    memory.set(shown.token, { sequence: shown.sequence, ...sent });
    info.cases[at].state = questions.missing().length ? "started" : "complete";
    questions.noteDone();
    tools.canUndo(past.get(shown.token)?.length);
    showProgress();
    outbox.put(shown.token, shown.sequence, sent);
  }

  /** Back to the state before the last answer, comment or line: a new row like any other change. */
  function undo() {
    flushComment();
    const states = shown && shown.open && past.get(shown.token);
    if (!states?.length) return;
    const before = states.pop();
    questions.show(before.answers, false);
    measure.show(before.measures, null, false);
    log.note("undo");
    send(false);
  }

  function measureTool(on = !measuring) {
    if (!viewing.measuring || (on && !shown)) return;
    measuring = on;
    viewer.setTool(on ? measure.tool : null);
    measure.open(on);
    tools.measuring(on);
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

  function leaveField() {
    flushComment();
    questions?.root.querySelector(".current")?.focus();
  }

  function forward() {
    if (!shown) return;
    flushComment();
    if (shown.open && questions.pointOut()) return;
    if (practising && shown.open && !practised()) return;
    if (at + 1 < info.total) return void go(at + 1);
    const open = info.cases.findIndex((c) => c.state !== "complete");
    if (shown.open && open >= 0) go(open);
    else showEnd();
  }

  /** A practice case is left once its answer has been saved and what was right has been seen. A press that comes sooner
   *  is kept where everything was right; else it stays at what was wrong, and the next one leads on. */
  function practised() {
    const mine = visit;
    const later = (pause) => (practiceTimer = setTimeout(() => mine === visit && shown && forward(), pause));
    clearTimeout(practiceTimer);
    if (outbox.waitingFor(shown.token)) return later(150), false;
    const wait = practice.wait(shown.token);
    if (!wait || early === shown.token) return (early = null), true;
    if (practice.allRight()) return later(wait), false;
    early = shown.token;
    practice.point();
    return false;
  }

  function showEnd() {
    finished?.remove();
    const { waiting } = outbox.state();
    const text = place.rehearsal ? t("end.rehearsal") : waiting ? tn("end.waiting", waiting) : t("end.saved");
    finished = el("div", { className: "end", role: "dialog", "aria-label": t("end.label") },
      el("h2", {}, tn("end.title", info.total)), el("p", {}, text),
      el("div", { className: "actions" },
        el("button", { type: "button", className: "main", onclick: () => doors.leave() }, t(place.rehearsal ? "room.leave" : "end.back")),
        el("button", { type: "button", className: "quiet", onclick: () => { finished.remove(); toggleStrip(true); } }, t("end.again"))));
    root.append(finished);
    finished.querySelector("button").focus();
  }

  const onHide = () => {
    if (document.hidden) {
      flushComment();
      time.hide();
      log.note("away");
      log.flush();
    } else {
      time.back();
      log.note("back");
    }
  };
  const onLeave = () => {
    flushComment();
    viewer.settleAll();
    log.leave();
  };

  async function start() {
    for (const one of info.cases) if (outbox.waitingFor(one.token) && one.state === "open") one.state = "started";
    outbox.hurry();
    await go(info.at ?? (info.open ? info.total - 1 : 0)).catch(() => {});
    if (info.at === null && info.open) showEnd();
  }

  document.addEventListener("visibilitychange", onHide);
  window.addEventListener("pagehide", onLeave);
  start().catch(() => {});
  return {
    stop() {
      onLeave();
      delete root.dataset.case;
      stopped = true;
      for (const part of [outbox, viewer, log, time, tabs, keys]) part.stop();
      questions?.stop();
      document.removeEventListener("visibilitychange", onHide);
      window.removeEventListener("pagehide", onLeave);
    },
  };
}
