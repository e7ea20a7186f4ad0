// How long a case was really read: a page that is hidden does not count, nor a pause beyond what the study allows.

const REST_SECONDS = 300; // a pause this long is a break

function makeReadingClock(idleAfter, breakMinutes) {
  let seconds = 0;
  let idle = 0;
  let since = null; // last sign of the reader, or null while nothing counts
  let open = false; // whether a case is on the screen
  let sitting = performance.now();
  let last = performance.now();

  const parts = () => {
    if (since === null) return { seconds, idle };
    const gap = (performance.now() - since) / 1000;
    return { seconds: seconds + Math.min(gap, idleAfter), idle: idle + Math.max(gap - idleAfter, 0) };
  };
  const settle = (goesOn) => {
    ({ seconds, idle } = parts());
    since = goesOn && open ? performance.now() : null;
  };
  /** The reader is there: any key, pointer or wheel. */
  const stir = () => {
    const now = performance.now();
    if ((now - last) / 1000 > REST_SECONDS) sitting = now;
    last = now;
    if (since !== null) settle(true);
  };
  const signs = ["keydown", "pointerdown", "pointermove", "wheel", "touchstart"];
  for (const sign of signs) window.addEventListener(sign, stir, { capture: true, passive: true });

  return {
    /** A case comes up, with what earlier visits have counted. */
    start(from) {
      ({ seconds = 0, idle = 0 } = from);
      open = true;
      since = document.hidden ? null : performance.now();
    },
    pause() {
      open = false;
      settle(false);
    },
    /** The page goes out of sight, and comes back. */
    hide: () => settle(false),
    back() {
      stir();
      since = open ? performance.now() : null;
    },
    read: () => {
      const now = parts();
      return { seconds: Math.round(now.seconds * 10) / 10, idle: Math.round(now.idle * 10) / 10 };
    },
    /** Minutes since the last break where one is due, else 0; asked between two cases. */
    breakDue() {
      const minutes = (performance.now() - sitting) / 60000;
      if (!breakMinutes || minutes < breakMinutes) return 0;
      sitting = performance.now();
      return Math.round(minutes);
    },
    stop() {
      for (const sign of signs) window.removeEventListener(sign, stir, { capture: true });
    },
  };
}
