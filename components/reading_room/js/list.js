// The reading list: what this person has been invited to read, and how far it is.

const signInAgain = () => `/auth/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;

async function signOut() {
  await fetch("/auth/sign-out", { method: "POST", redirect: "manual" });
  location.assign("/auth/sign-in");
}

function seriesCard(line, open) {
  const done = line.complete === line.total;
  const look = !line.open || done;
  const action = t(look ? "list.look" : line.complete ? "list.continue" : "list.start");
  const state = !line.open ? t("list.closed") : done ? t("list.done") : t("list.progress", line);
  return el("li", { className: "card" },
    el("div", { className: "card-text" },
      el("h2", { dir: "auto" }, line.title),
      el("p", {}, `${state} · ${t("list.you", line)}`),
      progressBar(line.complete, line.total)),
    el("button", { type: "button", className: look ? "quiet" : "main", onclick: () => open(line.series) }, action));
}

function progressBar(value, total) {
  const bar = el("div", { className: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": value, "aria-label": t("list.bar") }, el("i"));
  bar.firstChild.style.width = `${(100 * value) / Math.max(total, 1)}%`;
  return bar;
}

/** Fill `root` with the list; `open(series)` enters one, `enter(round)` a round that asks for findings. */
async function showList(root, open, enter) {
  root.replaceChildren(el("div", { className: "middle" }, el("p", { className: "soft" }, t("list.loading"))));
  let list;
  try {
    list = await ask("/read/list");
  } catch (error) {
    const again = error.status === 401
      ? el("a", { className: "main", href: signInAgain() }, t("sign_in.again"))
      : el("button", { type: "button", className: "main", onclick: () => showList(root, open, enter) }, t("try.again"));
    const text = error instanceof Refused ? refusalText(error) : t("server.away");
    root.replaceChildren(el("div", { className: "middle", role: "alert" }, el("p", {}, text), again));
    return;
  }
  const links = el("nav", { className: "links" }, languageChoice(() => showList(root, open, enter)), el("span", { className: "soft", dir: "auto" }, list.name));
  if (list.role === "researcher") links.append(el("a", { className: "quiet", href: "/" }, t("list.studio")));
  links.append(el("button", { type: "button", className: "quiet", onclick: signOut }, t("list.sign_out")));
  const rounds = (list.rounds || []).map((line) => roundCard(line, enter));
  const cards = list.series.length || rounds.length
    ? el("ul", { className: "cards" }, ...rounds, ...list.series.map((line) => seriesCard(line, open)))
    : el("div", { className: "empty" }, el("h2", {}, t("list.empty")), el("p", {}, t("list.empty.more")));
  root.replaceChildren(
    el("header", { className: "top" }, el("strong", {}, t("list.title")), el("span", { className: "spring" }), links),
    el("main", { className: "list" }, cards));
}
