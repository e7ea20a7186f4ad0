// Mouse, pen and fingers on a pane, as the same few gestures.

const LONG_PRESS = 450; // ms
const STILL = 6; // CSS pixels a finger may tremble

/**
 * `on` gets: start(event) -> "tool" | "divider" | null for what takes the drag; tool(phase, event); divider(event);
 * drag(dx, dy) for the window; pan(dx, dy); pinch(factor, event); hover(event | null); press(event | null); fit(event).
 */
function watchPointers(root, on) {
  const fingers = new Map(); // pointerId -> {x, y}
  let drag = null;
  let pressTimer = 0;
  let pressed = false;
  let lastTap = 0;

  const middle = () => {
    const [a, b] = [...fingers.values()];
    return { clientX: (a.x + b.x) / 2, clientY: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) };
  };
  const endPress = () => {
    clearTimeout(pressTimer);
    if (pressed) on.press(null);
    pressed = false;
  };

  root.addEventListener("pointerdown", (event) => {
    if (event.button > 1 || !on.ready()) return;
    event.preventDefault();
    root.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (fingers.size === 2) {
      endPress();
      if (drag?.taker === "tool") on.tool("cancel", event);
      drag = { taker: "pinch", ...middle() };
      return;
    }
    const panning = event.shiftKey || event.button === 1;
    const taker = panning ? "pan" : on.start(event) || "window";
    drag = { taker, x: event.clientX, y: event.clientY, from: [event.clientX, event.clientY] };
    if (taker === "tool") on.tool("down", event);
    if (taker === "window" && event.pointerType === "touch") pressTimer = setTimeout(() => ((pressed = true), on.press(event)), LONG_PRESS);
  });

  root.addEventListener("pointermove", (event) => {
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (!drag) return on.hover(event.pointerType === "touch" ? null : event);
    if (drag.taker === "pinch") {
      if (fingers.size < 2) return;
      const now = middle();
      on.pan(now.clientX - drag.clientX, now.clientY - drag.clientY);
      if (drag.apart > 0) on.pinch(now.apart / drag.apart, now);
      Object.assign(drag, now);
      return;
    }
    if (pressed) return on.press(event);
    if (Math.hypot(event.clientX - drag.from?.[0], event.clientY - drag.from?.[1]) > STILL) clearTimeout(pressTimer);
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    Object.assign(drag, { x: event.clientX, y: event.clientY });
    if (drag.taker === "tool") on.tool("move", event);
    else if (drag.taker === "divider") on.divider(event);
    else if (drag.taker === "pan") on.pan(dx, dy);
    else on.drag(dx, dy);
  });

  const end = (event) => {
    fingers.delete(event.pointerId);
    endPress();
    if (drag?.taker === "tool") on.tool(event.type === "pointerup" ? "up" : "cancel", event);
    const tapped = drag?.from && event.pointerType === "touch" && Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]) < STILL;
    if (tapped && drag.taker === "window") {
      // A double click follows a double tap only where the page may not zoom by itself; count taps instead.
      if (event.timeStamp - lastTap < 350) on.fit(event);
      lastTap = event.timeStamp;
    }
    if (!fingers.size) drag = null;
  };
  root.addEventListener("pointerup", end);
  root.addEventListener("pointercancel", end);
  root.addEventListener("pointerleave", () => on.hover(null));
  root.addEventListener("dblclick", (event) => on.fit(event));
  root.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (on.ready()) on.pinch(Math.exp(-event.deltaY * 0.0015), event);
  }, { passive: false });
}
