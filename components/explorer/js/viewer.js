// One image on its way along one direction: pictures above, degree and curve below, directions beside them.

const PLAY_MS = 1600, REST_MS = 350;

function makeViewer() {
  const app = { data: null, direction: null, moves: {}, mixing: false, effects: null };
  let scene = null, sceneKey = "", pathKey = "", degree = 0, view = "one", drawn = null;
  let frames = [], complete = false, boundary = null, intended = null, changed = 0, loading = null, opening = null, playing = 0, resting = 0, judging = null;

  const panel = (name) => {
    const canvas = el("canvas", { role: "img", "aria-label": name });
    const share = el("span", { className: "share" }), chip = el("span", { className: "chip" }, "flipped"), title = el("b", {}, name);
    chip.hidden = true;
    const node = el("figure", {}, canvas, el("figcaption", {}, title, chip, share));
    return { node, canvas, share, chip, title };
  };
  const panels = { original: panel("Original"), reconstruction: panel("Reconstruction"), after: panel("Counterfactual"), change: panel("Difference") };
  panels.after.canvas.title = "Hold to see the original in its place";
  const pictures = el("div", { className: "pictures" }, ...Object.values(panels).map((p) => p.node));
  const slider = el("input", { type: "range", step: "any", className: "degree", "aria-label": "Degree" });
  const label = el("span", {}, "Degree"), range = el("span", { className: "range" }), output = el("output");
  const play = el("button", { type: "button", title: "From the original to this degree (space)" }, "▶ Play");
  const least = el("button", { type: "button", title: "The least degree that flips: along this direction, and along the kept one that changes the picture least" }, "Find the least change");
  const said = el("p", { className: "note", "aria-live": "polite" });
  const error = el("p", { className: "error", role: "alert", hidden: true });
  const curve = el("div", { className: "curve" });
  const point = makePoint();
  const reconstruction = el("input", { type: "checkbox", onchange: () => layout() });
  const tick = el("label", { className: "tick", title: "What the generator makes of the original before any change" }, reconstruction, "Reconstruction");
  const full = el("button", { type: "button", className: "quiet", title: "Pictures on the whole screen (f)" }, "Full screen");
  const MODES = { one: "One image", directions: "Directions", gallery: "Gallery" };
  const modes = Object.entries(MODES).map(([mode, text]) => el("button", { type: "button", onclick: () => show(mode) }, text));
  const exports = el("details", { className: "export" }, el("summary", {}, "Export"), el("div", {}));
  const desk = makeDesk(app), galleries = { directions: makeDirections(app), gallery: makeGallery(app) }, overlay = makeOverlay(app);
  const stack = el("div", { className: "stack" });
  panels.original.canvas.replaceWith(stack);
  stack.append(panels.original.canvas, overlay.canvas);
  const main = el("div", { className: "main" },
    el("div", { className: "bar" }, el("div", { className: "modes", role: "group", "aria-label": "View" }, ...modes), el("span", { className: "gap" }), overlay.tick, tick, full, exports),
    error, pictures, overlay.node, ...Object.values(galleries).map((gallery) => gallery.node),
    el("div", { className: "steer" }, el("span", { className: "label" }, label, range), slider, output, play, least),
    point.node, said, curve);
  const root = el("div", { className: "explorer" }, main, desk.node);

  app.fail = (problem) => {
    if (problem.name === "AbortError") return;
    error.textContent = problem instanceof TypeError ? "The server cannot be reached. What is drawn already still moves." : problem.message;
    error.hidden = false;
  };
  const query = () => ({ run: app.data.run, image: app.data.image, rendering: app.data.rendering });
  const nearest = (value) => scene.choices.reduce((best, d) => (Math.abs(d - value) < Math.abs(best - value) ? d : best), scene.choices[0]);
  const frameAt = (value) => scene.frames.get(value.toFixed(4));
  const closest = (value) => frames.reduce((best, f) => (!best || Math.abs(f.degree - value) < Math.abs(best.degree - value) ? f : best), null);

  function update(data, tell) {
    const changed = !app.data || app.data.run !== data.run;
    app.data = data;
    app.tell = tell;
    if (changed) {
      ({ direction: app.direction, degree, view } = data.start);
      app.moves = { ...data.start.moves };
      if (app.direction !== null) app.moves[app.direction] = degree;
      app.mixing = !data.one_way && Object.values(data.start.moves).some(Boolean);
      show(view);
    }
    const key = JSON.stringify(query());
    if (key !== sceneKey) {
      sceneKey = key;
      openScene(key);
      desk.render();
    }
  }

  async function openScene(key) {
    opening?.abort();
    loading?.abort();
    opening = new AbortController();
    root.classList.add("busy");
    try {
      const found = await fetchScene(query(), opening.signal);
      if (key !== sceneKey) return;
      scene = found;
      scene.of = { run: app.data.run, image: app.data.image };
      overlay.offer(app.data.maps);
      scene.choices = [...scene.degrees];
      error.hidden = true;
      const [low, high] = [scene.degrees[0], scene.degrees.at(-1)];
      Object.assign(slider, { min: low, max: high });
      degree = nearest(degree);
      const { target } = app.data;
      for (const [name, picture, share] of [["original", scene.original, scene.p_source], ["reconstruction", scene.reconstruction, scene.p_reconstruction]]) {
        paintGray(panels[name].canvas, picture.h, picture.w, picture.values);
        panels[name].share.textContent = `${target} ${percent(share)}`;
      }
      panels.change.title.textContent = app.data.rendering === "plain" ? "Difference to the reconstruction" : "Difference";
      layout();
      pathKey = "";
      openPath();
      galleries[view]?.load();
    } catch (problem) {
      app.fail(problem);
    }
    root.classList.remove("busy");
  }

  const others = () => Object.fromEntries(Object.entries(app.moves).filter(([name, d]) => d && name !== app.direction));

  /** All frames of the direction that is steered, the others held; what is being drawn for another one is given up. */
  async function openPath() {
    const key = JSON.stringify([sceneKey, app.direction, others()]);
    if (key === pathKey) return draw();
    pathKey = key;
    said.textContent = "";
    loading?.abort();
    loading = new AbortController();
    const mine = scene;
    mine.frames = new Map();
    mine.choices = [...mine.degrees];
    frames = [];
    complete = false;
    boundary = intended = null;
    drawn = null;
    const say = measure(app), [low, high] = [mine.degrees[0], mine.degrees.at(-1)];
    range.textContent = `${say(low).replace(/\.0$/, "")} to ${say(high).replace(/\.0$/, "")}`;
    try {
      const asked = { ...query(), direction: app.direction ?? "", moves: JSON.stringify(others()), at: degree };
      if (app.data.one_way) aim(key, loading.signal).catch(app.fail);
      for await (const frame of fetchFrames(mine, asked, loading.signal)) {
        if (key !== pathKey) return;
        keep(frame);
      }
      complete = true;
      schedule();
      const found = await (await ask("boundary", { ...query(), direction: asked.direction, moves: asked.moves }, loading.signal)).json();
      if (key !== pathKey) return;
      boundary = found;
      schedule();
    } catch (problem) {
      app.fail(problem);
    }
  }

  /** What is intended along the direction, at the degrees of the slider and `at`. */
  async function aim(key, signal, at) {
    const found = await (await ask("intended", { ...query(), direction: app.direction ?? "", ...(at === undefined ? {} : { at }) }, signal)).json();
    if (key !== pathKey) return;
    intended = found;
    schedule();
  }

  function keep(frame) {
    frame.degree = nearestExact(frame.degree);
    scene.frames.set(frame.degree.toFixed(4), frame);
    frames = [...scene.frames.values()].sort((a, b) => a.degree - b.degree);
    schedule();
  }

  function nearestExact(value) {
    const known = scene.choices.find((d) => Math.abs(d - value) < 6e-5);
    if (known !== undefined) return known;
    scene.choices = [...scene.choices, value].sort((a, b) => a - b);
    return value;
  }

  let asked = 0;
  const schedule = () => (asked ||= requestAnimationFrame(() => { asked = 0; draw(); }));

  function draw() {
    if (!scene) return;
    const exact = frameAt(degree), frame = exact || closest(degree);
    slider.value = degree;
    const say = measure(app), { target } = app.data;
    const wanted = Boolean(app.data.directions.find((d) => d.name === app.direction)?.wanted);
    output.textContent = say(degree);
    label.textContent = wanted ? `Wanted probability of ${target}` : "Degree";
    root.classList.toggle("waiting", !exact);
    if (frame && frame !== drawn) {
      drawn = frame;
      const { h, w, values } = scene.before;
      const change = fullChange(scene, frame);
      const shown = applied(values, change);
      const limit = limitOf(change);
      changed = app.data.one_way ? meanOf(change) : 0;
      paintGray(panels.after.canvas, h, w, shown);
      paintChange(panels.change.canvas, h, w, change, limit);
      overlay.show({ h, w, values: change, ...scene.of });
      panels.change.share.innerHTML = `<i class="blue">darker −${limit.toFixed(2)}</i> <i class="red">brighter +${limit.toFixed(2)}</i>`;
    }
    point.show(intended, degree, exact, changed, { target, wanted });
    if (frame) {
      panels.after.share.textContent = exact ? `${target} ${percent(frame.probability)}` : `drawing ${say(degree)} …`;
      panels.after.chip.hidden = !(exact && frame.flipped && !intended?.already);
      root.dataset.degree = frame.degree;
      slider.setAttribute("aria-valuetext", `${say(degree)}, ${target} ${percent(frame.probability)}${frame.flipped ? ", flipped" : ""}`);
    }
    const [low, high] = [scene.degrees[0], scene.degrees.at(-1)];
    drawCurve(curve, { frames, low, high, degree, target, complete, boundary, intended, say, tick: app.data.one_way && (wanted ? (value) => `${Math.round(100 * value)} %` : (value) => `${Number(value.toFixed(2))}`) }, (value) => steer(nearest(value)));
    root.dataset.frames = frames.length;
    root.dataset.complete = complete;
    root.dataset.boundary = boundary?.degree ?? "";
    desk.update();
  }

  function steer(value) {
    stop();
    degree = value;
    if (app.direction !== null) app.moves[app.direction] = degree;
    schedule();
    rest();
  }

  /** Once nothing has moved for a while: tell Streamlit, judge the mix, redraw the gallery. */
  function rest() {
    clearTimeout(resting);
    app.effects = null;
    resting = setTimeout(settle, REST_MS);
  }

  const shown = () => ({ direction: app.direction, degree, moves: others(), view });

  function settle() {
    clearTimeout(resting);
    resting = 0;
    app.tell("shown", shown());
    galleries[view]?.load();
    if (app.mixing) judge();
    links();
  }

  async function judge() {
    judging?.abort();
    judging = new AbortController();
    try {
      app.effects = await (await ask("effects", { ...query(), moves: JSON.stringify(app.moves) }, judging.signal)).json();
      desk.update();
    } catch (problem) {
      app.fail(problem);
    }
  }

  /** Steer another direction from where it stands; outside the desk every direction goes alone, at the same degree. */
  app.choose = (name) => {
    if (name === app.direction) return;
    stop();
    if (!app.mixing) app.moves = { [name]: degree };
    app.direction = name;
    degree = scene ? nearest(app.moves[name] || 0) : app.moves[name] || 0;
    said.textContent = "";
    desk.render();
    if (scene) openPath();
    rest();
  };
  app.only = (name) => {
    app.moves = name === null ? {} : { [name]: degree };
    app.effects = null;
    desk.render();
    if (scene) openPath();
    rest();
  };
  app.steer = (name, value) => {
    if (name !== app.direction) {
      app.direction = name;
      degree = nearest(value);
      app.moves[name] = degree;
      openPath();
    }
    steer(nearest(value));
    desk.update();
  };
  app.degree = () => degree;
  app.relisted = () => scene && galleries[view]?.load();
  /** A direction of the gallery, taken by itself at the degree at which it was shown. */
  app.alone = (name) => {
    app.mixing = false;
    app.direction = name;
    app.only(name);
    show("one");
  };
  app.reset = () => {
    app.moves = {};
    degree = nearest(0);
    said.textContent = "";
    openPath();
    rest();
    desk.update();
  };
  app.open = (image) => {
    show("one");
    clearTimeout(resting);
    resting = 0;
    // All in one message: of two in a row the second's rerun may undo the first's.
    app.tell("open", { image, ...shown() }, true);
  };

  /** Measures of one way are no pictures to lay beside each other. */
  app.beside = () => app.data.directions.length > 1 && !app.data.one_way;

  function show(mode) {
    view = mode === "directions" && !app.beside() ? "one" : mode;
    Object.keys(MODES).forEach((name, i) => modes[i].setAttribute("aria-pressed", name === view));
    modes[1].hidden = !app.beside();
    root.classList.toggle("many", view !== "one");
    for (const [name, { node }] of Object.entries(galleries)) node.hidden = name !== view;
    if (scene) {
      galleries[view]?.load();
      rest();
      schedule();
    }
  }

  function layout() {
    panels.reconstruction.node.hidden = !reconstruction.checked;
    pictures.style.setProperty("--panels", reconstruction.checked ? 4 : 3);
    schedule();
  }

  function stop() {
    if (playing) cancelAnimationFrame(playing);
    playing = 0;
    play.textContent = "▶ Play";
  }
  play.onclick = () => {
    if (!scene || playing) return stop();
    const goal = degree, way = scene.choices.filter((d) => d * goal >= 0 && Math.abs(d) <= Math.abs(goal)).sort((a, b) => Math.abs(a) - Math.abs(b));
    const begun = performance.now();
    play.textContent = "■ Stop";
    const next = (now) => {
      const share = Math.min(1, Math.max(0, (now - begun) / PLAY_MS));
      degree = way[Math.round(share * (way.length - 1))] ?? goal;
      draw();
      if (share < 1) playing = requestAnimationFrame(next);
      else stop();
    };
    playing = requestAnimationFrame(next);
    degree = goal;
  };

  least.onclick = async () => {
    if (!scene || least.disabled) return;
    least.disabled = true;
    const kept = app.data.directions.filter((d) => d.kept && !app.data.one_way).map((d) => d.name), own = app.direction ?? "";
    const names = [own, ...kept.filter((name) => name !== own)];
    const key = pathKey;
    said.textContent = "Looking for the least change …";
    const found = [];
    try {
      const reader = (await ask("least", { ...query(), directions: JSON.stringify(names), moves: JSON.stringify(others()) })).body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ""; ; ) {
        const { done, value } = await reader.read();
        if (done) break;
        const lines = (text + value).split("\n");
        text = lines.pop();
        for (const line of lines) {
          found.push(JSON.parse(line));
          if (key !== pathKey) return;
          if (found.length === 1 && found[0].degree !== null) await jump(found[0].degree);
          tellLeast(found, names);
        }
      }
    } catch (problem) {
      said.textContent = "";
      app.fail(problem);
    } finally {
      least.disabled = false;
    }
  };

  /** To a degree that may lie between two of the slider's. */
  async function jump(value) {
    if (!frameAt(value)) for await (const frame of fetchFrames(scene, { ...query(), direction: app.direction ?? "", moves: JSON.stringify(others()), at: value, only: 1 })) keep(frame);
    if (app.data.one_way && !intendedAt(intended, value)) await aim(pathKey, undefined, value);
    steer(nearest(value));
  }

  function tellLeast(found, names) {
    const { target } = app.data, [own] = found;
    const title = (one) => (one.direction === null ? "the method's way" : one.direction.replace("-", "−"));
    const along = own.degree === null ? `Along ${title(own)} nothing in this range makes it ${target}.`
      : own.degree === 0 ? `Without a step along ${title(own)} it is ${target} already.`
      : `Along ${title(own)} the classifier changes its mind at ${measure(app)(own.degree)} (gray values change by ${(100 * own.mean_change).toFixed(1)} % on average).`;
    said.replaceChildren(along);
    if (own.degree === 0) return;
    if (names.length < 2) return;
    if (found.length < names.length) return said.append(` Other directions: ${found.length - 1} of ${names.length - 1} …`);
    const flips = found.filter((one) => one.degree).sort((a, b) => a.mean_change - b.mean_change);
    if (!flips.length) return said.append(" Nor does any other kept direction.");
    const best = flips[0];
    if (best === own) return said.append(" No kept direction changes less.");
    said.append(` Least change of ${found.length}: `, el("button", { type: "button", className: "link", onclick: async () => { app.choose(best.direction); await jump(best.degree); } }, `${title(best)} at ${degreeWords(best.degree)}`), ` (gray values ${(100 * best.mean_change).toFixed(1)} %).`);
  }

  function links() {
    const base = { ...query(), direction: app.direction ?? "", degree, moves: JSON.stringify(others()) };
    const kinds = [["png", "Pictures (PNG)"], ["gif", "Film (GIF, exact)"], ["webp", "Film with difference (WebP, exact)"], ["mp4", "Film with difference (MP4)"]];
    exports.lastChild.replaceChildren(...kinds.map(([format, text]) =>
      format === "mp4" && !app.data.mp4 ? el("span", { className: "off", title: "On the server: pip install 'cfreader[video]'" }, `${text}: needs cfreader[video]`)
        : el("a", { href: `/views/export?${new URLSearchParams({ ...base, format })}`, download: "", onclick: () => (exports.open = false) }, text)));
  }
  exports.addEventListener("toggle", () => exports.open && links());

  slider.addEventListener("input", () => scene && steer(nearest(Number(slider.value))));
  slider.addEventListener("change", () => scene && resting && settle());
  slider.addEventListener("keydown", (event) => {
    if (!scene) return;
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 8, PageDown: -8 }[event.key];
    if (event.key === " ") play.onclick();
    else if (event.key === "f") full.onclick();
    else if (steps) steer(scene.choices[Math.min(scene.choices.length - 1, Math.max(0, scene.choices.indexOf(nearest(degree)) + steps))]);
    else return;
    event.preventDefault();
  });
  full.onclick = () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen?.());
  const compare = (on) => () => {
    if (!scene || !drawn) return;
    const { h, w, values } = scene.before;
    if (on) paintGray(panels.after.canvas, h, w, values);
    else paintGray(panels.after.canvas, h, w, applied(values, fullChange(scene, drawn)));
    panels.after.title.textContent = on ? "Original" : "Counterfactual";
  };
  panels.after.canvas.addEventListener("pointerdown", compare(true));
  for (const name of ["pointerup", "pointerleave"]) panels.after.canvas.addEventListener(name, () => panels.after.title.textContent === "Original" && compare(false)());
  new ResizeObserver(() => schedule()).observe(curve);
  // A link leads to another page: told after that press, what is shown here would empty that page and name its address.
  document.addEventListener("click", function leave(event) {
    if (!root.isConnected) return document.removeEventListener("click", leave, true);
    if (event.composedPath().some((node) => node.tagName === "A" && !root.contains(node))) {
      clearTimeout(resting);
      resting = 0;
    }
  }, true);
  layout();
  return { root, update };
}
