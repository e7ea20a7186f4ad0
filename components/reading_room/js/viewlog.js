// What was done with the images of a case, sent in small lots; it never holds up an answer.

const LOT = 200;
const MOST_KEPT = 2000;
const LOG_EVERY = 10000; // ms

const hex = (bytes) => [...crypto.getRandomValues(new Uint8Array(bytes))].map((b) => b.toString(16).padStart(2, "0")).join("");

function makeViewingLog() {
  let visit = null; // {token, visit, number, since}
  let waiting = []; // {token, visit, event}
  let sending = false;
  const timer = setInterval(() => flush(), LOG_EVERY);

  async function flush() {
    if (sending || !waiting.length) return;
    sending = true;
    const { token, visit: name } = waiting[0];
    const lot = waiting.filter((one) => one.token === token && one.visit === name).slice(0, LOT);
    try {
      await ask("/read/log", {
        method: "POST", keepalive: true, headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token, visit: name, events: lot.map((one) => one.event) }),
      });
      waiting = waiting.filter((one) => !lot.includes(one));
      sending = false;
      if (waiting.length) flush();
    } catch (error) {
      // What the server refuses it will refuse again; what did not arrive goes with the next lot.
      if (error instanceof Refused && error.status !== 401 && error.status < 500) waiting = waiting.filter((one) => !lot.includes(one));
      sending = false;
    }
  }

  function note(kind, value = {}) {
    if (!visit || waiting.length >= MOST_KEPT) return;
    visit.number += 1;
    const seconds = Math.round((performance.now() - visit.since) / 10) / 100;
    waiting.push({ token: visit.token, visit: visit.visit, event: { number: visit.number, kind, value, seconds } });
  }

  function leave() {
    if (!visit) return;
    note("left");
    visit = null;
    flush();
  }

  return {
    note,
    enter(token, value) {
      leave();
      visit = { token, visit: hex(8), number: 0, since: performance.now() };
      note("shown", value);
    },
    leave,
    flush,
    stop() {
      leave();
      clearInterval(timer);
    },
  };
}

/** The same face for a rehearsal: nothing is kept. */
const makeNoLog = () => ({ note() {}, enter() {}, leave() {}, flush() {}, stop() {} });
