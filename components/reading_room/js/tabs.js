// Two tabs of one browser must not answer one case at a time: each says which case it holds, the earlier one keeps it.

const GIVE_UP_WAITING = 2500; // ms for a tab that does not answer any more

/**
 * `onHeld(token, since)`: another tab holds this case. `onTaken(token, at)`: another tab has taken it over;
 * `free(token)` resolves once nothing of it waits here any more.
 */
function makeTabs(series, { onHeld, onTaken, free }) {
  const me = hex(8);
  const channel = new BroadcastChannel(`cfreader.tabs.${series}`);
  let mine = null; // {token, since}
  let waitingFor = null;
  const earlier = (message) => message.since < mine.since || (message.since === mine.since && message.from < me);
  const say = (kind, token, more = {}) => channel.postMessage({ kind, token, from: me, ...more });

  channel.onmessage = async ({ data: message }) => {
    const concerns = mine?.token === message.token;
    if (message.kind === "free" && message.to === me) waitingFor?.();
    if (!concerns) return;
    if (message.kind === "ask" && !earlier(message)) say("held", message.token, { since: mine.since });
    if (message.kind === "held" && earlier(message)) {
      mine = null;
      onHeld(message.token, message.since);
    }
    if (message.kind === "take") {
      mine = null;
      onTaken(message.token, Date.now());
      await free(message.token);
      say("free", message.token, { to: message.from });
    }
  };

  return {
    /** This tab shows the case from now on; `onHeld` follows at once where another one did before. */
    hold(token) {
      mine = { token, since: Date.now() };
      say("ask", token, { since: mine.since });
    },
    /** Take the case over from the other tab; resolves when that has sent what it had. */
    async take(token) {
      mine = { token, since: Date.now() };
      await new Promise((resolve) => {
        waitingFor = resolve;
        setTimeout(resolve, GIVE_UP_WAITING);
        say("take", token);
      });
      waitingFor = null;
    },
    leave: () => (mine = null),
    stop: () => channel.close(),
  };
}

const makeNoTabs = () => ({ hold() {}, async take() {}, leave() {}, stop() {} });
