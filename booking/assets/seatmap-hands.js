// Fingers, mice and keys on the map: what they do is its camera's or its owner's.

const tapSlop = 8;

/** Listens for as long as the page is there. */
export function listen(map) {
  const { view } = map;
  const fingers = new Map();
  let from, moved = false;
  const spread = () => {
    const [a, b] = [...fingers.values()];
    return { distance: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1,
      middle: { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 } };
  };
  view.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    if (fingers.size === 0) moved = false;
    fingers.set(event.pointerId, event);
    from = fingers.size === 2 ? spread() : event;
  });
  view.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) {
      if (event.pointerType === "mouse") map.on.look(map.nearest(map.world(event), map.pitch * 0.7));
      return;
    }
    fingers.set(event.pointerId, event);
    if (fingers.size >= 2) {
      moved = true;
      const now = spread();
      const at = map.world(now.middle);
      map.zoom(now.distance / from.distance, at, false);
      map.pan(now.middle.clientX - from.middle.clientX, now.middle.clientY - from.middle.clientY);
      from = now;
      return;
    }
    const [dx, dy] = [event.clientX - from.clientX, event.clientY - from.clientY];
    if (!moved && Math.hypot(dx, dy) < tapSlop) return;
    if (!moved) view.setPointerCapture(event.pointerId);
    moved = true;
    map.pan(dx, dy);
    from = event;
  });
  const lift = (event) => {
    const was = fingers.delete(event.pointerId);
    [from] = fingers.values();
    if (was && !moved && event.type === "pointerup") map.tap(event);
    else if (moved && fingers.size === 0) map.commit();
  };
  view.addEventListener("pointerup", lift);
  view.addEventListener("pointercancel", lift);
  view.addEventListener("pointerleave", (event) => { if (!fingers.has(event.pointerId)) map.on.look(undefined); });
  view.addEventListener("wheel", (event) => {
    // a wheel that passes by scrolls the page
    if (!event.ctrlKey && document.activeElement !== view) return;
    event.preventDefault();
    map.zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.06 : 0.002)), map.world(event), false);
  }, { passive: false });
  view.addEventListener("keydown", (event) => {
    const { width, height } = map.frame();
    const step = { ArrowLeft: [width / 5, 0], ArrowRight: [-width / 5, 0], ArrowUp: [0, height / 5], ArrowDown: [0, -height / 5] }[event.key];
    if (step) map.pan(...step, true);
    else if (event.key === "+" || event.key === "=") map.zoom(1.6);
    else if (event.key === "-") map.zoom(1 / 1.6);
    else if (event.key === "0") map.away();
    else return;
    event.preventDefault();
  });
  let first = true;
  new ResizeObserver(() => {
    const wasWhole = map.seatPx() <= map.pitch * map.shownWhole * 1.01 || first;
    first = false;
    map.camera = wasWhole ? map.whole() : map.camera;
    map.shownWhole = map.whole().k;
    map.commit();
  }).observe(view);
}
