// Many pictures under the same degrees: of several images, or of one image along every direction.

const VIEWS = { after: "Counterfactual", before: "Original", change: "Difference" };

/** Tiles that are drawn anew in place. `kind`: label, columns (class name), query() to ask the server with, path,
    rows(answer) that become {key, after, before, change, lines, chip, flipped}, said(rows, view), open(key), hint. A row that
    is `still` is there to compare with, not to be pressed. */
function makeTiles(app, kind) {
  const grid = el("div", { className: "grid" });
  const said = el("p", { className: "note", "aria-live": "polite" });
  const which = el("select", { "aria-label": `Picture shown: ${kind.label}`, onchange: () => render() }, ...Object.entries(VIEWS).map(([value, text]) => el("option", { value }, text)));
  const node = el("section", { className: `gallery ${kind.className}`, hidden: true, "aria-label": kind.label }, el("div", { className: "gallery-head" }, said, which), grid);
  let found = [], waiting = null, asked = "", busy = false;
  let cells = new Map(); // key -> {node, draw}

  async function load() {
    const query = kind.query();
    const key = JSON.stringify(query);
    if (key === asked) return render();
    asked = key;
    if (busy) { waiting = true; return; }
    busy = true;
    node.classList.add("busy");
    if (!found.length) render();
    try {
      found = kind.rows(await (await ask(kind.path, query)).json());
      render();
    } catch (error) {
      app.fail(error);
    }
    busy = false;
    node.classList.remove("busy");
    if (waiting) { waiting = null; asked = ""; load(); }
  }

  function render() {
    said.textContent = found.length ? kind.said(found, which.value) : "Drawing the gallery …";
    const before = [...cells.keys()].join();
    cells = new Map(found.map((row) => [row.key, cells.get(row.key) ?? makeCell(row.still)]));
    found.forEach((row) => cells.get(row.key).draw(row));
    // New pictures come while somebody points: a cell that is replaced would swallow the press and lose the focus.
    if ([...cells.keys()].join() !== before) grid.replaceChildren(...[...cells.values()].map((cell) => cell.node));
  }

  function makeCell(still) {
    let row;
    const swap = (name) => (picture.src = row[name]);
    const picture = el("img", {}), lines = el("span", { className: "lines" }), chip = el("span", { className: "chip" });
    const caption = el("span", { className: "caption" }, lines, chip);
    const node = still ? el("div", {}, picture, caption) : el("button", { type: "button", title: kind.hint,
      onclick: () => kind.open(row.key), onpointerenter: () => swap(which.value === "before" ? "after" : "before"), onpointerleave: () => swap(which.value) },
      picture, caption);
    return {
      node,
      draw(now) {
        row = now;
        node.className = `cell${row.flipped ? " flipped" : ""}${still ? " still" : ""}`;
        if (kind.here && !still) node.setAttribute("aria-pressed", row.key === kind.here());
        picture.alt = VIEWS[which.value];
        swap(which.value);
        lines.replaceChildren(...row.lines.map((line) => el(line.of ?? "span", {}, line.text)));
        chip.textContent = row.chip;
      },
    };
  }
  return { node, load };
}

/** Many images moved by the same degrees. */
function makeGallery(app) {
  return makeTiles(app, {
    label: "Gallery", className: "of-images", path: "gallery", hint: "Open this image. While pointed at, it shows the original",
    query: () => ({ run: app.data.run, rendering: app.data.rendering, images: app.data.images.join(","), moves: JSON.stringify(app.moves) }),
    rows: (images) => images.map((image) => ({
      ...image, key: image.id, flipped: image.flipped && !image.target_already, already: image.target_already,
      lines: [{ text: `${percent(image.p_source)} → ${percent(image.probability)}` }],
      chip: image.target_already ? "target already" : image.flipped ? "flipped" : "",
    })),
    said(rows) {
      const open = rows.filter((row) => !row.already), flipped = open.filter((row) => row.flipped);
      return `${flipped.length} of ${open.length} images flip to ${app.data.target} here${open.length < rows.length ? `; ${rows.length - open.length} are ${app.data.target} already` : ""}.`;
    },
    open: (id) => app.open(id),
  });
}

/** One image moved along every direction by the same degree, each alone. */
function makeDirections(app) {
  return makeTiles(app, {
    label: "Directions side by side", className: "of-directions", path: "directions", hint: "Take this direction. While pointed at, it shows the original",
    query: () => ({ run: app.data.run, image: app.data.image, rendering: app.data.rendering, degree: app.degree(), directions: JSON.stringify(app.listed().map((d) => d.name)) }),
    rows: ({ before, p_before: was, already, limit, directions }) => [
      { key: "", still: true, already, limit, before, after: before, change: before, chip: already ? "target already" : "",
        lines: [{ of: "b", text: app.data.rendering === "plain" ? "Reconstruction" : "Original" }, { text: `${app.data.target} ${percent(was)}` }] },
      ...directions.map((row) => ({
        ...row, before, key: row.direction, flipped: row.flipped && !already,
        lines: [{ of: "b", text: row.direction.replace("-", "−") }, { text: `${percent(was)} → ${percent(row.probability)}` }],
        chip: row.flipped ? (already ? "" : "flipped") : already ? "flipped back" : "",
      })),
    ],
    said([still, ...rows], view) {
      const { target } = app.data, n = rows.filter((row) => row.flipped).length;
      const scale = view === "change" ? ` Blue darker, red brighter, full colour at ±${still.limit.toFixed(2)}.` : "";
      if (still.already) return `Without a step it is ${target} already.${scale}`;
      return `${n} of ${rows.length} directions, each alone, make it ${target} at ${degreeWords(app.degree())}.${scale}`;
    },
    here: () => app.direction,
    open: (name) => app.alone(name),
  });
}
