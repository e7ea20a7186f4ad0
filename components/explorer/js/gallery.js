// Many images moved by the same degrees.

const VIEWS = { after: "Counterfactual", before: "Original", change: "Difference" };

function makeGallery(app) {
  const grid = el("div", { className: "grid" });
  const said = el("p", { className: "note", "aria-live": "polite" });
  const which = el("select", { "aria-label": "Picture shown in the gallery", onchange: () => render() }, ...Object.entries(VIEWS).map(([value, text]) => el("option", { value }, text)));
  const node = el("section", { className: "gallery", hidden: true, "aria-label": "Gallery" }, el("div", { className: "gallery-head" }, said, which), grid);
  let found = [], waiting = null, asked = "", busy = false;
  let cells = new Map(); // image id -> {node, draw}

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
    const before = [...cells.keys()].join();
    cells = new Map(found.map((image) => [image.id, cells.get(image.id) ?? makeCell()]));
    found.forEach((image) => cells.get(image.id).draw(image));
    // New pictures come while somebody points: a cell that is replaced would swallow the press and lose the focus.
    if ([...cells.keys()].join() !== before) grid.replaceChildren(...[...cells.values()].map((cell) => cell.node));
  }

  function makeCell() {
    let image;
    const swap = (name) => (picture.src = image[name]);
    const picture = el("img", {}), chances = el("span", {}), chip = el("span", { className: "chip" });
    const node = el("button", { type: "button", title: "Open this image. While pointed at, it shows the original",
      onclick: () => app.open(image.id), onpointerenter: () => swap(which.value === "before" ? "after" : "before"), onpointerleave: () => swap(which.value) },
      picture, el("span", { className: "caption" }, chances, chip));
    return {
      node,
      draw(now) {
        image = now;
        node.className = image.flipped && !image.target_already ? "cell flipped" : "cell";
        picture.alt = VIEWS[which.value];
        swap(which.value);
        chances.textContent = `${percent(image.p_source)} → ${percent(image.probability)}`;
        chip.textContent = image.target_already ? "target already" : image.flipped ? "flipped" : "";
      },
    };
  }
  return { node, load };
}
