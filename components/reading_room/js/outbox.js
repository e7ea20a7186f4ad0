// Answers on their way to the database. What is not confirmed waits here, and on this machine's disk, until it is.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 5000;
const MOST_KEPT_ALIVE = 20000; // characters; a browser refuses more than 64 KiB that are to outlive the page

/**
 * `tell(state)` is called on every change with {waiting, sending, failed, savedAt, pauseUntil};
 * `onSaved(token, echo)`, `onConflict(token, mine, stored)`, `onRefused(token, refusal)` with what the server said.
 */
function makeOutbox(series, { tell, onSaved, onConflict, onRefused, address = "/read/answer" }) {
  const prefix = `cfreader.waiting.${series}.`;
  const waiting = new Map(); // token -> {token, sequence, answers, measures, seconds, idle, changes}
  let sending = null;
  let savedAt = null;
  let pause = FIRST_PAUSE;
  let pauseUntil = 0;
  let timer = 0;
  let signedOut = false;
  let stopped = false;

  const store = (entry) => {
    try {
      localStorage.setItem(prefix + entry.token, JSON.stringify(entry));
    } catch {
      // No room or no permission: memory still holds it.
    }
  };
  const forget = (token) => {
    try {
      localStorage.removeItem(prefix + token);
    } catch {
      // As above.
    }
  };
  const state = () => ({
    waiting: [...waiting.values()].reduce((sum, entry) => sum + entry.changes, 0),
    sending: sending !== null,
    failed: pauseUntil > 0 || signedOut,
    signedOut, savedAt, pauseUntil,
  });

  for (const name of Object.keys(localStorage).filter((name) => name.startsWith(prefix))) {
    try {
      const entry = JSON.parse(localStorage.getItem(name));
      waiting.set(entry.token, entry);
    } catch {
      localStorage.removeItem(name);
    }
  }

  async function pump() {
    clearTimeout(timer);
    const entry = waiting.values().next().value;
    if (sending || stopped || !entry) return tell(state());
    sending = entry;
    pauseUntil = 0;
    tell(state());
    const { token, sequence, changes, ...kept } = entry;
    const body = JSON.stringify({ token, sequence, ...kept });
    const abort = new AbortController();
    const limit = setTimeout(() => abort.abort(), 15000);
    try {
      const echo = await ask(address, {
        method: "POST", keepalive: body.length < MOST_KEPT_ALIVE, signal: abort.signal,
        headers: { "Content-Type": "application/json" }, body,
      });
      if (echo.sequence !== sequence) throw new TypeError("another answer was confirmed");
      settle(entry);
      signedOut = false;
      pause = FIRST_PAUSE;
      savedAt = echo.saved_at;
      onSaved(token, echo);
    } catch (error) {
      if (error instanceof Refused && error.status < 500) refuse(entry, error);
      else wait();
    }
    clearTimeout(limit);
    sending = null;
    tell(state());
    if (waiting.size && !pauseUntil && !signedOut) pump();
  }

  /** Take out what the server has; a newer state of the same case stays. */
  function settle(entry) {
    const now = waiting.get(entry.token);
    if (!now) return;
    if (now.sequence === entry.sequence) {
      waiting.delete(entry.token);
      forget(entry.token);
    } else {
      now.changes = Math.max(now.changes - entry.changes, 1);
      store(now);
    }
  }

  function wait() {
    pauseUntil = Date.now() + pause;
    timer = setTimeout(pump, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }

  function refuse(entry, refusal) {
    if (refusal.status === 401) {
      signedOut = true;
      return;
    }
    const mine = waiting.get(entry.token);
    waiting.delete(entry.token);
    // An invitation that was withdrawn may be taken up again: then what waits on this machine's disk is sent.
    if (refusal.status !== 410) forget(entry.token);
    if (refusal.status === 409) onConflict(entry.token, mine, refusal.body);
    else onRefused(entry.token, refusal);
  }

  const hurry = () => {
    pause = FIRST_PAUSE;
    signedOut = false;
    pump();
  };
  const back = () => signedOut && hurry();
  window.addEventListener("online", hurry);
  window.addEventListener("focus", back);

  return {
    waitingFor: (token) => waiting.get(token),
    state,
    /** What another tab of this browser has left on this machine's disk for a case. */
    readAgain(token) {
      try {
        const left = JSON.parse(localStorage.getItem(prefix + token));
        if (left && !(waiting.get(token)?.sequence >= left.sequence)) waiting.set(token, left);
      } catch {
        // Nothing that can be read: the server's state counts.
      }
      pump();
    },
    hurry,
    /** When the case on the screen was saved, where nothing has been saved from here yet. */
    noteSaved(at) {
      savedAt = savedAt || at;
      tell(state());
    },
    /** `state`: {answers, measures, seconds, idle}, the whole of a case. */
    put(token, sequence, state) {
      const earlier = waiting.get(token);
      const entry = { token, sequence, ...state, changes: (earlier?.changes || 0) + 1 };
      waiting.delete(token);
      waiting.set(token, entry);
      store(entry);
      if (pauseUntil || signedOut) tell(state());
      else pump();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      window.removeEventListener("online", hurry);
      window.removeEventListener("focus", back);
    },
  };
}

/** The same face for a rehearsal: nothing leaves, nothing is kept. */
function makeNoOutbox() {
  const state = () => ({ waiting: 0, sending: false, failed: false, savedAt: null });
  return { waitingFor: () => undefined, state, readAgain() {}, hurry() {}, noteSaved() {}, put() {}, stop() {} };
}
