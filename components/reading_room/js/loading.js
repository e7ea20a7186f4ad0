// Cases fetched and made ready ahead: pixels, windows and painted sheets, so that going on is only drawing.

const AHEAD = 2;

/** `refused`/`away` say what happened until the work is done: (error) and (). Never gives up but on a refusal. */
async function patiently(work, { refused, away, stopped }) {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      return await work();
    } catch (error) {
      if (stopped()) throw error;
      if (error instanceof Refused && error.status < 500) {
        refused(error);
        throw error;
      }
      away();
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** `get(index)` -> {one, values, presets, sheet}, from memory where it was fetched ahead. */
function makeCases(base, cases, preset) {
  const loaded = new Map(); // token -> promise

  async function fetchCase(token) {
    const one = await ask(`${base}/case/${token}`);
    const letters = Object.keys(one.pixels?.urls || {});
    if (!letters.length) return { one, values: null, presets: [], sheet: null };
    const found = await Promise.all(letters.map((letter) => fetchValues(one.pixels.urls[letter], one.pixels)));
    const values = Object.fromEntries(letters.map((letter, i) => [letter, found[i]]));
    const presets = makePresets(one.pixels, found);
    const sheet = makeSheets(one.pixels, values);
    const opening = presets.find((p) => p.name === preset) || presets[0];
    for (const letter of letters) sheet(letter, opening);
    return { one, values, presets, sheet };
  }

  function get(index) {
    const { token } = cases[index];
    if (!loaded.has(token)) {
      const fetched = fetchCase(token);
      fetched.catch(() => loaded.delete(token));
      loaded.set(token, fetched);
    }
    return loaded.get(token);
  }

  return {
    get,
    forget: (token) => loaded.delete(token),
    /** Fetch what comes next, one case after the other, and let go of what lies far away. */
    async ahead(index) {
      for (let next = index + 1; next <= index + AHEAD && next < cases.length; next++) await get(next).catch(() => {});
      const near = new Set(cases.slice(Math.max(index - 1, 0), index + AHEAD + 1).map((one) => one.token));
      for (const token of [...loaded.keys()]) if (!near.has(token)) loaded.delete(token);
    },
  };
}
