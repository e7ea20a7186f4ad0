// The directions: a ranked list, and with "Mix" a desk on which each has its own degree.

function makeDesk(app) {
  const list = el("div", { className: "directions" });
  const mixing = el("input", { type: "checkbox", onchange: () => { app.mixing = mixing.checked; if (!mixing.checked) app.only(app.direction); else render(); } });
  const every = el("input", { type: "checkbox", onchange: () => { render(); app.relisted(); } });
  const count = el("span");
  const all = el("label", { className: "tick" }, every, count);
  const reset = el("button", { type: "button", className: "quiet", title: "All directions to degree 0", onclick: () => app.reset() }, "Reset");
  const title = el("h2");
  const head = el("div", { className: "desk-head" }, title);
  const tools = el("div", { className: "desk-tools" }, el("label", { className: "tick", title: "Move along several directions at once" }, mixing, "Mix"), reset);
  const total = el("p", { className: "note" });
  const told = el("p", { className: "told" });
  const node = el("aside", {}, head, tools, list, total, all, told);
  let rows = new Map();

  /** The kept directions, or all; always those that are in use. */
  app.listed = () => app.data.directions.filter((d) => d.kept || every.checked || app.moves[d.name] || d.name === app.direction);

  function render() {
    const known = app.data.directions;
    node.hidden = !known.length;
    tools.hidden = app.data.one_way;
    title.textContent = app.data.one_way ? "How far, told by" : "Directions, by change of the logit";
    mixing.checked = app.mixing;
    reset.hidden = !app.mixing;
    const shown = app.listed();
    count.textContent = `All ${known.length}, not only the kept ones`;
    all.hidden = known.every((d) => d.kept);
    const longest = Math.max(...shown.map((d) => Math.abs(d.change))) || 1;
    list.classList.toggle("mixing", app.mixing);
    rows = new Map();
    const header = el("div", { className: "row header" }, el("span"), el("span"), el("span", {}, "degree"), el("span", { title: "Probability with this direction alone" }, "alone"), el("span", { title: "Probability of the mix without this direction" }, "without"));
    list.replaceChildren(...(app.mixing ? [header] : []), ...shown.map((d) => row(d, longest)));
    update();
  }

  function row(d, longest) {
    const bar = el("i", { style: `width:${(100 * Math.abs(d.change)) / longest}%` });
    bar.className = d.change > 0 ? "up" : "down";
    const name = el("button", { type: "button", className: "name", title: d.about, onclick: () => app.choose(d.name) }, el("b", {}, d.name.replace("-", "−")),
      ...(app.mixing || app.data.one_way ? [] : [el("span", { className: "bar" }, bar), el("span", { className: "value" }, words(d.change))]));
    const parts = { name };
    const node = el("div", { className: "row" }, name);
    if (app.mixing) {
      const { low, high } = app.data;
      parts.slider = el("input", { type: "range", min: low, max: high, step: (high - low) / 80, value: app.moves[d.name] || 0, "aria-label": `Degree of ${d.name}`,
        oninput: () => app.steer(d.name, Number(parts.slider.value)) });
      parts.degree = el("output");
      parts.alone = el("span", { className: "effect" });
      parts.without = el("span", { className: "effect" });
      node.append(parts.slider, parts.degree, parts.alone, parts.without);
    }
    rows.set(d.name, { ...parts, node });
    return node;
  }

  function update() {
    for (const [name, parts] of rows) {
      const here = name === app.direction;
      parts.node.classList.toggle("here", here);
      parts.name.setAttribute("aria-pressed", here);
      if (!parts.slider) continue;
      const degree = app.moves[name] || 0;
      if (Number(parts.slider.value) !== degree) parts.slider.value = degree;
      parts.degree.textContent = degreeWords(degree);
      parts.slider.setAttribute("aria-valuetext", degreeWords(degree));
      parts.alone.textContent = degree && app.effects ? percent(app.effects.alone[name] ?? NaN).replace("NaN %", "") : "";
      parts.without.textContent = degree && app.effects ? percent(app.effects.without[name] ?? NaN).replace("NaN %", "") : "";
    }
    tell();
    const active = Object.values(app.moves).filter(Boolean).length;
    total.hidden = !app.mixing;
    total.textContent = active > 1 ? `${active} directions together: probability of ${app.data.target} ${app.effects ? percent(app.effects.probability) : "…"}` : "Give two or more directions a degree.";
  }

  /** What is known of the direction that is steered. */
  function tell() {
    const own = app.data.directions.find((d) => d.name === app.direction);
    told.hidden = !own;
    if (!own || told.dataset.of === own.name + own.truth) return;
    told.dataset.of = own.name + own.truth;
    told.replaceChildren(el("b", {}, own.name.replace("-", "−")), `: ${own.about[0].toLowerCase()}${own.about.slice(1)}.`,
      ...(own.truth ? [el("span", {}, `Measured on phantoms, it ${own.truth}`)] : []));
  }
  return { node, render, update };
}
