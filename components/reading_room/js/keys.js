// What a key does in the room. Letters that answer (a b x n q y s d, digits) belong to the questions.

/** `act`: what can be done, by name; `questions()`: those on the screen, or null; `busy()`: nothing may be answered. */
function watchKeys({ act, viewer, questions, busy, escape }) {
  const byKey = {
    Enter: act.forward, Backspace: act.back, " ": act.swap, i: act.invert, e: viewer.exact, r: act.reset, w: viewer.nextPreset, t: viewer.nextMode,
    z: act.magnifier, f: act.pixelTrue, l: act.measure, k: viewer.link, u: act.undo, "+": () => viewer.zoom(1.25), "=": () => viewer.zoom(1.25), "-": () => viewer.zoom(0.8),
    ",": () => viewer.level(1), ".": () => viewer.level(-1), c: () => viewer.contrast(-1), v: () => viewer.contrast(1),
    o: act.cases, h: act.help, m: () => questions()?.comment.focus(),
  };
  const presets = ["standard", "lung", "soft", "bone", "full", "inverted"];

  function roomKey({ key, code, shiftKey }) {
    if (key === "Escape") return escape(), true;
    if (shiftKey && /^Digit[1-6]$/.test(code) && !/^[0-9]$/.test(key)) return viewer.preset(presets[code.slice(-1) - 1]), true;
    if (shiftKey && key.startsWith("Arrow")) {
      const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
      return viewer.pan(dx, dy), true;
    }
    const does = byKey[key.length === 1 ? key.toLowerCase() : key];
    if (!does) return false;
    does();
    return true;
  }

  function onKey(event) {
    // A key that is held down leads on once, not past what the next case has to say.
    if (event.key === "Enter" && event.repeat) return event.preventDefault();
    if (event.ctrlKey || event.metaKey || event.altKey) {
      const field = event.composedPath()[0] instanceof HTMLTextAreaElement || event.composedPath()[0] instanceof HTMLInputElement;
      if (event.ctrlKey && event.key === "Enter") act.forward();
      else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !field) {
        event.preventDefault();
        act.undo();
      }
      return;
    }
    const target = event.composedPath()[0];
    const inside = target instanceof Element && target.closest(".menu, .divider");
    // Streamlit has keys of its own ("r" reruns, "c" clears its cache): none of them may reach it from here.
    if (!inside) event.stopPropagation();
    if (target instanceof HTMLTextAreaElement || target instanceof HTMLInputElement) {
      if (event.key === "Escape") act.leaveField();
      questions()?.fieldKey(event);
      return;
    }
    if (inside && event.key !== "Escape" && (event.key.startsWith("Arrow") || ["Home", "End", "Enter", " "].includes(event.key)) && !event.shiftKey) return;
    const native = target instanceof Element && target.closest("button:not(.state):not(.point), a");
    if (native && ["Enter", " "].includes(event.key)) return;
    if (!busy() && questions()?.captures(event)) return event.preventDefault();
    if (roomKey(event) || (!busy() && questions()?.key(event))) event.preventDefault();
  }
  window.addEventListener("keydown", onKey, true);
  return { stop: () => window.removeEventListener("keydown", onKey, true) };
}
