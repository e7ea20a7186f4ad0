// Mounting: the room lives on the document's body, so that no rerun, reconnect or dialog of Streamlit's moves it.

const HOST = "cfreader-reading-room";

function build({ style, texts }) {
  const host = el("div", { id: HOST });
  const shadow = host.attachShadow({ mode: "open" });
  const root = el("div", { className: "room" });
  shadow.append(el("style", {}, style), root);
  document.body.append(host);
  let room = null;

  function show() {
    room?.stop();
    room = null;
    openTexts(texts); // the reader's own choice again, after a series that fixes its language
    root.lang = language;
    const asked = new URLSearchParams(location.search);
    const [series, study, round, disputes] = ["series", "rehearse", "round", "adjudicate"].map((name) => asked.get(name) || "");
    if (/^[0-9a-f]{24}$/.test(series)) room = openRoom(root, { base: `/read/${series}`, series }, () => visit(null));
    else if (/^[0-9]+$/.test(study)) room = openRoom(root, { base: `/rehearse/${study}`, rehearsal: true }, () => location.assign("/studies"));
    else if (/^[0-9]+$/.test(disputes)) room = openRoom(root, { base: `/adjudicate/${disputes}`, series: `chair.${disputes}`, answer: `/adjudicate/${disputes}/answer`, chair: true }, () => location.assign(`/desk?study=${disputes}`));
    else if (/^[0-9a-f]{32}$/.test(round)) room = openRound(root, `/read/round/${round}`, () => visit(null));
    else showList(root, visit, (token) => visit(token, "round"));
  }
  function visit(token, kind = "series") {
    history.pushState(null, "", location.pathname + (token ? `?${kind}=${token}` : ""));
    show();
  }
  window.addEventListener("popstate", show);
  show();
  host.end = () => {
    room?.stop();
    window.removeEventListener("popstate", show);
    host.remove();
  };
  return host;
}

export default function ({ data }) {
  const host = document.getElementById(HOST) || build(data);
  clearTimeout(host.ending);
  const address = location.pathname;
  return () => {
    // A reconnect unmounts and mounts again within moments; another page does not come back.
    if (location.pathname !== address) host.end();
    else host.ending = setTimeout(host.end, 3000);
  };
}
