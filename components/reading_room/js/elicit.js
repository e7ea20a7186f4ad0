// The elicitation round: a reader says which findings should be asked, and later confirms the merged list.

const DRAFT_KEY = "cfreader.findings.";
const POST = (sent) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(sent) });

/** `address` is of the round; `leave()` goes back to the list. */
function openRound(root, address, leave) {
  const note = el("p", { className: "note", role: "status", hidden: true });
  const panel = el("section", { className: "elicit" });
  let viewer = null;
  let stopped = false;

  // Streamlit listens for single letters: none of them may reach it from a field in here.
  const onKey = (event) => {
    event.stopPropagation();
    const target = event.composedPath()[0];
    if (event.key !== "Enter" || !target.classList?.contains("proposal")) return;
    event.preventDefault();
    const fields = [...panel.querySelectorAll(".proposal")];
    (fields[fields.indexOf(target) + 1] || addRow()).focus();
  };
  window.addEventListener("keydown", onKey, true);

  const tell = (text) => {
    note.hidden = !text;
    note.textContent = text;
  };
  const failed = (error) => tell(error instanceof Refused ? refusalText(error) : t("server.away"));
  const button = (text, act, main = false) => el("button", { type: "button", className: main ? "main" : "quiet", onclick: act }, text);

  async function show() {
    let round;
    try {
      round = await ask(address);
    } catch (error) {
      root.replaceChildren(el("div", { className: "middle", role: "alert" }, el("p", {}, error instanceof Refused ? refusalText(error) : t("server.away")), button(t("room.list"), leave)));
      return;
    }
    if (stopped) return;
    panel.replaceChildren(el("h1", { dir: "auto" }, t("elicit.title")), el("p", { className: "asked", dir: "auto" }, round.asked), ...parts(round), note);
    const header = el("header", { className: "top" }, el("strong", { className: "title", dir: "auto" }, round.title), el("span", { className: "spring" }), button(t("room.list"), leave));
    const body = el("div", { className: "body" }, panel);
    if (round.pairs.length) body.prepend(pictures(round.pairs));
    root.replaceChildren(header, body);
  }

  function parts(round) {
    if (round.state === "propose" || round.state === "sent") return proposing(round);
    return confirming(round);
  }

  let addRow = () => null;
  function proposing(round) {
    const kept = DRAFT_KEY + address;
    const list = el("ul", { className: "proposals" });
    const read = () => [...list.children].map((row) => ({ label: row.querySelector("input").value.trim(), kind: row.dataset.kind })).filter((item) => item.label);
    const keep = () => {
      try {
        localStorage.setItem(kept, JSON.stringify(read()));
      } catch {
        // No room or no permission: the list stays on the screen.
      }
    };
    const row = ({ label: text, kind }) => {
      const field = el("input", { type: "text", className: "proposal", value: text, maxlength: 120, dir: "auto", "aria-label": t("elicit.finding"), placeholder: t("elicit.finding"), oninput: keep });
      const kinds = ["main", "secondary"].map((name) => el("button", {
        type: "button", className: "point word", "data-kind": name, onclick: () => (set(name), keep()),
      }, t(`elicit.${name}`)));
      const item = el("li", {}, field, el("span", { className: "kinds", role: "group", "aria-label": t("elicit.kind") }, ...kinds),
        el("button", { type: "button", className: "quiet", "aria-label": t("elicit.remove"), title: t("elicit.remove"), onclick: () => (item.remove(), keep()) }, "×"));
      const set = (name) => {
        item.dataset.kind = name;
        for (const one of kinds) one.setAttribute("aria-pressed", String(one.dataset.kind === name));
      };
      set(kind);
      return item;
    };
    addRow = () => {
      const item = row({ label: "", kind: list.children.length ? "secondary" : "main" });
      list.append(item);
      return item.querySelector("input");
    };
    let start = round.proposals;
    try {
      start = JSON.parse(localStorage.getItem(kept)) || start;
    } catch {
      // What the server has counts then.
    }
    list.append(...start.map(row));
    while (list.children.length < 3) addRow();
    const send = async () => {
      tell("");
      try {
        await ask(`${address}/proposals`, POST({ proposals: read() }));
        localStorage.removeItem(kept);
        await show();
        tell(t("elicit.sent"));
      } catch (error) {
        failed(error);
      }
    };
    return [
      el("p", { className: "soft" }, t(round.state === "sent" ? "elicit.may_change" : "elicit.how")), list,
      el("div", { className: "actions" }, button(t("elicit.send"), send, true), button(t("elicit.add"), () => addRow().focus())),
    ];
  }

  function confirming(round) {
    const group = (kind) => {
      const labels = round.checklist.filter((item) => item.kind === kind);
      return labels.length ? [el("h2", {}, t(`elicit.${kind}_list`)), el("ul", { className: "merged" }, ...labels.map((item) => el("li", { dir: "auto" }, item.label)))] : [];
    };
    const change = el("textarea", { className: "comment", rows: 3, dir: "auto", maxlength: 2000, value: round.objection, "aria-label": t("elicit.change"), placeholder: t("elicit.change") });
    const send = async (objection) => {
      tell("");
      try {
        const { state } = await ask(`${address}/confirm`, POST({ digest: round.digest, objection }));
        await show();
        tell(t(state === "confirmed" ? "elicit.confirmed" : "elicit.objected"));
      } catch (error) {
        if (error instanceof Refused && error.status === 409) await show();
        failed(error);
      }
    };
    return [
      el("p", { className: "soft" }, t(round.state === "confirmed" ? "elicit.confirmed" : "elicit.check")), ...group("main"), ...group("secondary"), change,
      el("div", { className: "actions" }, button(t("elicit.confirm"), () => send(""), true),
        button(t("elicit.object"), () => (change.value.trim() ? send(change.value) : (tell(t("elicit.say_what")), change.focus())))),
    ];
  }

  function pictures(pairs) {
    let at = 0;
    let visit = 0;
    viewer = makeViewer({ views: ["side"], view: "side", preset: "standard", linked_zoom: true });
    const where = el("span", { className: "soft place" });
    const step = (by) => el("button", { type: "button", className: "quiet", "aria-label": t(by < 0 ? "elicit.before" : "elicit.after"), onclick: () => look(at + by) }, by < 0 ? "‹" : "›");
    const [before, after] = [step(-1), step(1)];
    async function look(index) {
      if (index < 0 || index >= pairs.length) return;
      at = index;
      const mine = ++visit;
      where.textContent = t("elicit.pair", { number: at + 1, total: pairs.length });
      [before.disabled, after.disabled] = [at === 0, at === pairs.length - 1];
      try {
        const pixels = pairs[at];
        const [A, B] = await Promise.all(["A", "B"].map((letter) => fetchValues(pixels.urls[letter], pixels)));
        if (mine === visit && !stopped) viewer.show(pixels, { A, B }, makePresets(pixels, [A, B]), makeSheets(pixels, { A, B }));
      } catch (error) {
        failed(error);
      }
    }
    look(0);
    return el("div", { className: "stage looked" }, viewer.root, el("div", { className: "turn" }, before, where, after));
  }

  show();
  return {
    stop() {
      stopped = true;
      viewer?.stop();
      window.removeEventListener("keydown", onKey, true);
    },
  };
}

/** A round on the reading list. */
function roundCard(line, open) {
  const waits = line.state === "propose" || line.state === "confirm";
  return el("li", { className: "card" },
    el("div", { className: "card-text" }, el("h2", { dir: "auto" }, line.title), el("p", {}, t(`elicit.state.${line.state}`))),
    el("button", { type: "button", className: waits ? "main" : "quiet", onclick: () => open(line.round) }, t(waits ? "list.start" : "list.look")));
}
