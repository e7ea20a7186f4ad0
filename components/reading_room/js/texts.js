// What the room says: one catalogue file a language (../texts), in the language that the reader chose or the study fixes.

const LANGUAGE_KEY = "cfreader.language";
const FALLBACK = "en";
let catalogues = {};
let language = FALLBACK;

/** Take the catalogues and the reader's own choice, else the browser's language. */
function openTexts(all) {
  catalogues = all;
  let chosen = null;
  try {
    chosen = localStorage.getItem(LANGUAGE_KEY);
  } catch {
    // No permission: the browser's language it is.
  }
  const wanted = [chosen, ...navigator.languages.map((tag) => tag.slice(0, 2))];
  language = wanted.find((name) => name in catalogues) || FALLBACK;
}

/** `fixed`: the study's own language, which counts for as long as its room is open and is not remembered. */
function speak(name, { fixed = false } = {}) {
  if (!(name in catalogues)) return;
  language = name;
  try {
    if (!fixed) localStorage.setItem(LANGUAGE_KEY, name);
  } catch {
    // As above.
  }
}

/** A text by its key, with {names} filled in. */
function t(key, values = {}) {
  const text = catalogues[language]?.[key] ?? catalogues[FALLBACK]?.[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** A text that depends on how many: `key.one`, `key.other`, or what else the language's plural rules ask for. */
function tn(key, count, values = {}) {
  const form = `${key}.${new Intl.PluralRules(language).select(count)}`;
  return t(form in catalogues[language] ? form : `${key}.other`, { count, ...values });
}

const clock = (when) => new Date(when).toLocaleTimeString(t("clock.locale"));
const day = (when) => new Date(`${when}T12:00`).toLocaleDateString(t("clock.locale"), { dateStyle: "long" });

/** What a refusal of the server's says in our language: by its code, with its values filled in. Never the server's own
 *  words, which are English. */
const refusalText = (refusal) => {
  const { code, values = {} } = refusal.body || {};
  const key = `refused.${code}`;
  if (!(key in catalogues[FALLBACK])) return t("server.status", { status: refusal.status });
  const told = Object.entries(values).map(([name, value]) => [name, /^\d{4}-\d\d-\d\d$/.test(value) ? day(value) : value]);
  return t(key, Object.fromEntries(told));
};

/** One button a language; nothing where there is only one. */
function languageChoice(changed) {
  const names = Object.keys(catalogues);
  const buttons = names.map((name) => el("button", {
    type: "button", className: "tongue", lang: name, "aria-pressed": String(name === language),
    onclick: () => (speak(name), changed()),
  }, catalogues[name]["language.name"]));
  return el("span", { className: "tongues", role: "group", "aria-label": t("language.choose"), hidden: names.length < 2 }, ...buttons);
}
