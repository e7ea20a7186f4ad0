// What an engine that goes one way means the picture to become: the name of the point, and what is out of reach.

/** A degree of a direction: of one that wants a probability per cent, along the one way plain, else with its sign. */
function measure(app) {
  const own = app.data.directions.find((d) => d.name === app.direction);
  if (own?.wanted) return (value) => `${Math.round(1000 * value) / 10} %`;
  return app.data.one_way ? (value) => `k = ${Number(value.toFixed(3))}` : degreeWords;
}

/** What is intended at a degree of the slider: {k, name, probability}. Null before the server has said so. */
function intendedAt(found, degree) {
  const i = found ? found.degrees.findIndex((d) => Math.abs(d - degree) < 6e-5) : -1;
  return i < 0 ? null : { k: found.k[i], name: found.names[i], probability: found.probability[i] };
}

/** Mean of absolute values. */
const meanOf = (values) => values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;

/** The name as in the paper, with words for those who have not read it. */
const POINTS = { SFE: "semi-factual, still on the image's own side", CFE: "counterfactual, on the other side", Reflection: "the mirror image, as far as it goes" };

/** Why the picture is not what was asked for; "" where it is. `wanted`: the degree is a probability. */
function shortOf(found, degree, target, wanted) {
  if (found.already) return `The classifier calls this image ${target} already, so there is nothing to change.`;
  const { low, high } = found;
  if (!wanted || (degree >= low - 0.0005 && degree <= high + 0.0005)) return "";
  return `${percent(degree)} is out of reach. This image can be shown from ${exactly(low)} to ${exactly(high)} ${target}; shown: ${exactly(degree < low ? low : high)}.`;
}

/** Of a range per cent would hide much at its ends: 99.7 % is not 100 %. */
const exactly = (share) => {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return "less than 0.1 %";
  if (value < 100 && value > 99.9) return "more than 99.9 %";
  return value < 1 || value > 99 ? `${Number(value.toFixed(1))} %` : `${Math.round(value)} %`;
};

/** Beside the slider: the name of the point, what was intended and what was obtained, in the film's colours. */
function makePoint() {
  const name = el("b", { className: "name" }), about = el("span", { className: "about" });
  const intended = el("span", { className: "intended" }), obtained = el("span", { className: "predicted" });
  const warning = el("p", { className: "short", role: "status", hidden: true });
  const changed = el("span", { className: "changed", title: "Mean change of the gray values" });
  const line = el("div", { className: "point" }, name, about, el("span", { className: "gap" }), intended, obtained, changed);
  const node = el("div", { className: "aim", hidden: true }, line, warning);
  return {
    node,
    /** `found`: of the server; `frame`: the picture at this very degree, or nothing yet; `change`: its mean, in [0, 1]. */
    show(found, degree, frame, change, { target, wanted }) {
      const here = intendedAt(found, degree);
      node.hidden = !here;
      if (!here) return;
      name.textContent = found.already ? "Unchanged" : here.name;
      about.textContent = found.already ? "k = 0" : `k = ${Number(here.k.toFixed(3))}, ${POINTS[here.name]}`;
      intended.textContent = `Intended: ${percent(here.probability)}`;
      obtained.textContent = `Predicted: ${frame ? percent(frame.probability) : "…"}`;
      changed.textContent = `Change: ${frame ? `${(100 * change).toFixed(1)} %` : "…"}`;
      const said = shortOf(found, degree, target, wanted);
      if (warning.textContent !== said) warning.textContent = said;
      warning.hidden = !said;
    },
  };
}
