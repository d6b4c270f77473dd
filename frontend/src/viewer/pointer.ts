import type { Vec3 } from "../api/types.ts";
import { type Look, moveCentre, scaleOverlay, scaleUpper, scaleWidth } from "./look.ts";
import type { Pane } from "./pane.ts";

/** What the left button does outside outline mode. */
export type Tool = "window" | "pan" | "zoom" | "scroll";

/** Receives the left button while the pane is being drawn on, or while the crosshair is set by clicks. */
export interface PointerTaker {
  tool: () => Tool;
  takes: (pane: Pane) => boolean;
  down: (pane: Pane, world: Vec3, event: PointerEvent) => void;
  move: (pane: Pane, world: Vec3, event: PointerEvent) => void;
  up: (pane: Pane, world: Vec3, event: PointerEvent) => void;
  /** The pointer was taken away: a scroll, a palm, a gesture of the system. */
  cancel: (pane: Pane) => void;
  click: (pane: Pane, world: Vec3) => void;
  dressOverlay: (change: (pane: Pane) => Partial<Look>) => void;
  activate: (pane: Pane) => void;
}
interface Drag {
  pointer: number;
  x: number;
  y: number;
  moved: boolean;
  taken: boolean;
  tool: Tool;
  left: number;
}

const CLICK_PX = 3;
const PIXELS_PER_SLICE = 8;

const toolOf = (event: PointerEvent, chosen: Tool): Tool => {
  if (event.button === 1) return "pan";
  return event.button === 2 ? "zoom" : chosen;
};

function dragWindow(pane: Pane, taker: PointerTaker, dx: number, dy: number): void {
  const widen = 1 + dx / 200;
  if (pane.facts.role === "CT") {
    pane.setLook(scaleWidth(pane.look, widen));
    pane.setLook(moveCentre(pane.look, -dy * 2));
  } else if (pane.id.startsWith("fused")) {
    const change = scaleOverlay(pane.look, widen);
    taker.dressOverlay(() => change);
  } else {
    pane.setLook(scaleUpper(pane.look, widen));
  }
}

function dragScroll(pane: Pane, drag: Drag, dy: number): void {
  drag.left += dy;
  const slices = Math.trunc(drag.left / PIXELS_PER_SLICE);
  drag.left -= slices * PIXELS_PER_SLICE;
  if (slices !== 0) pane.scroll(-slices);
}

function applyDrag(pane: Pane, taker: PointerTaker, drag: Drag, dx: number, dy: number): void {
  if (drag.tool === "window") dragWindow(pane, taker, dx, dy);
  else if (drag.tool === "pan") pane.panBy(dx, dy);
  else if (drag.tool === "zoom") pane.zoomBy(Math.exp(-dy / 150));
  else dragScroll(pane, drag, dy);
}

const startDrag = ({ pointerId, clientX, clientY }: PointerEvent, taken: boolean, tool: Tool): Drag => ({
  pointer: pointerId,
  x: clientX,
  y: clientY,
  moved: false,
  taken,
  tool,
  left: 0,
});

function worldUnder(pane: Pane, event: MouseEvent): Vec3 {
  const box = pane.dom.stage.getBoundingClientRect();
  return pane.toWorld([event.clientX - box.left, event.clientY - box.top]);
}

/** The wheel scrolls by one slice a notch; the menu of the right button would be in the way of zooming. */
function attachRest(pane: Pane, taker: PointerTaker, signal: AbortSignal): void {
  const { root } = pane.dom;
  const onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    if (event.deltaY !== 0) pane.scroll(-Math.sign(event.deltaY));
  };
  root.addEventListener("wheel", onWheel, { signal, passive: false });
  root.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
  root.addEventListener("focus", () => taker.activate(pane), { signal });
}

/** Connects mouse, pen and touch on one pane; returns the way to disconnect. */
export function attachPointer(pane: Pane, taker: PointerTaker): () => void {
  const { root } = pane.dom;
  const abort = new AbortController();
  const { signal } = abort;
  let drag: Drag | null = null;
  const isOther = (event: PointerEvent): boolean => drag !== null && event.pointerId !== drag.pointer;
  const down = (event: PointerEvent): void => {
    // a palm beside the pen takes nothing over
    if (event.target instanceof HTMLButtonElement || isOther(event)) return;
    taker.activate(pane);
    root.focus({ preventScroll: true });
    if (pane.affine === null) return;
    root.setPointerCapture(event.pointerId);
    drag = startDrag(event, event.button === 0 && taker.takes(pane), toolOf(event, taker.tool()));
    if (drag.taken) taker.down(pane, worldUnder(pane, event), event);
    event.preventDefault();
  };
  const move = (event: PointerEvent): void => {
    if (drag === null || event.pointerId !== drag.pointer) return;
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    if (!drag.moved && Math.hypot(dx, dy) < CLICK_PX && !drag.taken) return;
    drag.moved = true;
    if (drag.taken) return taker.move(pane, worldUnder(pane, event), event);
    [drag.x, drag.y] = [event.clientX, event.clientY];
    applyDrag(pane, taker, drag, dx, dy);
  };
  const up = (event: PointerEvent): void => {
    if (drag === null || event.pointerId !== drag.pointer) return;
    const ended = drag;
    drag = null;
    if (ended.taken) taker.up(pane, worldUnder(pane, event), event);
    else if (!ended.moved && event.button === 0) taker.click(pane, worldUnder(pane, event));
  };
  /** It says nothing of where it ended (often 0, 0), so no place of it is used and it clicks nothing. */
  const cancel = (event: PointerEvent): void => {
    if (drag === null || event.pointerId !== drag.pointer) return;
    const { taken } = drag;
    drag = null;
    if (taken) taker.cancel(pane);
  };
  root.addEventListener("pointerdown", down, { signal });
  root.addEventListener("pointermove", move, { signal });
  root.addEventListener("pointerup", up, { signal });
  root.addEventListener("pointercancel", cancel, { signal });
  root.addEventListener("lostpointercapture", cancel, { signal });
  attachRest(pane, taker, signal);
  return () => abort.abort();
}
