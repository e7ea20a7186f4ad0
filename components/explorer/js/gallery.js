// Many images moved by the same degrees.

const VIEWS = { after: "Counterfactual", before: "Original", change: "Difference" };

function makeGallery(app) {
  const grid = el("div", { className: "grid" });
  const said = el("p", { className: "note", "aria-live": "polite" });
  const which = el("select", { "aria-label": "Picture shown in the gallery", onchange: () => render() }, ...Object.entries(VIEWS).map(([value, text]) => el("option", { value }, text)));
  const node = el("section", { className: "gallery", hidden: true, "aria-label": "Gallery" }, el("div", { className: "gallery-head" }, said, which), grid);
  let found = [], waiting = null, asked = "", busy = false;

  async function load() {
    const { run, rendering, images } = app.data;
    const query = { run, rendering, images: images.join(","), moves: JSON.stringify(app.moves) };
    const key = JSON.stringify(query);
    if (key === asked) return;
    asked = key;
    if (busy) { waiting = true; return; }
    busy = true;
    node.classList.add("busy");
    if (!found.length) render();
    try {
      const rows = await (await ask("gallery", query)).json();
      found = rows;
      render();
    } catch (error) {
      app.fail(error);
    }
    busy = false;
    node.classList.remove("busy");
    if (waiting) { waiting = null; asked = ""; load(); }
  }

  function render() {
    const open = found.filter((image) => !image.target_already), flipped = open.filter((image) => image.flipped);
    said.textContent = found.length ? `${flipped.length} of ${open.length} images flip to ${app.data.target} here${open.length < found.length ? `; ${found.length - open.length} are ${app.data.target} already` : ""}.` : "Drawing the gallery …";
    grid.replaceChildren(...found.map((image) => {
      const picture = el("img", { src: image[which.value], alt: VIEWS[which.value] });
      const swap = (name) => () => (picture.src = image[name]);
      return el("button", { type: "button", className: image.flipped && !image.target_already ? "cell flipped" : "cell", title: "Open this image. While pointed at, it shows the original",
        onclick: () => app.open(image.id), onpointerenter: swap(which.value === "before" ? "after" : "before"), onpointerleave: swap(which.value) },
        picture, el("span", { className: "caption" }, el("span", {}, `${percent(image.p_source)} → ${percent(image.probability)}`),
          el("span", { className: "chip" }, image.target_already ? "target already" : image.flipped ? "flipped" : "")));
    }));
  }
  return { node, load };
}
