// The reading list: what this person has been invited to read, and how far it is.

const signInAgain = () => `/auth/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;

async function signOut() {
  await fetch("/auth/sign-out", { method: "POST", redirect: "manual" });
  location.assign("/auth/sign-in");
}

function seriesCard(line, open) {
  const done = line.complete === line.total;
  const action = !line.open || done ? "Look again" : line.complete ? "Continue" : "Start";
  const state = !line.open ? "Closed" : done ? "All cases read" : `${line.complete} of ${line.total} cases read`;
  return el("li", { className: "card" },
    el("div", { className: "card-text" },
      el("h2", {}, line.title),
      el("p", {}, `${state} · you are reader ${line.label}`),
      progressBar(line.complete, line.total)),
    el("button", { type: "button", className: action === "Look again" ? "quiet" : "main", onclick: () => open(line.series) }, action));
}

function progressBar(value, total) {
  const bar = el("div", { className: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": value, "aria-label": "Cases read" }, el("i"));
  bar.firstChild.style.width = `${(100 * value) / Math.max(total, 1)}%`;
  return bar;
}

/** Fill `root` with the list; `open(series)` enters one. */
async function showList(root, open) {
  root.replaceChildren(el("div", { className: "middle" }, el("p", { className: "soft" }, "Loading your reading list …")));
  let list;
  try {
    list = await ask("/read/list");
  } catch (error) {
    const again = error.status === 401
      ? el("a", { className: "main", href: signInAgain() }, "Sign in again")
      : el("button", { type: "button", className: "main", onclick: () => showList(root, open) }, "Try again");
    const text = error instanceof Refused ? error.message : "The server cannot be reached just now.";
    root.replaceChildren(el("div", { className: "middle", role: "alert" }, el("p", {}, text), again));
    return;
  }
  const links = el("nav", { className: "links" }, el("span", { className: "soft" }, list.name));
  if (list.role === "researcher") links.append(el("a", { className: "quiet", href: "/" }, "Back to the studio"));
  links.append(el("button", { type: "button", className: "quiet", onclick: signOut }, "Sign out"));
  const cards = list.series.length
    ? el("ul", { className: "cards" }, ...list.series.map((line) => seriesCard(line, open)))
    : el("div", { className: "empty" }, el("h2", {}, "Nothing to read yet"), el("p", {}, "You will find a reading here as soon as you are invited to one."));
  root.replaceChildren(
    el("header", { className: "top" }, el("strong", {}, "Reading list"), el("span", { className: "spring" }), links),
    el("main", { className: "list" }, cards));
}
