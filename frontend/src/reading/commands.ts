import type { Slot, Vec3 } from "../api/types.ts";
import { insertVertex, moveVertex, removeVertex } from "../roi/editing.ts";
import { pixelToWorld, worldToPixel } from "../roi/geometry.ts";
import { along } from "../roi/vec.ts";
import {
  changeOpacity,
  moveCentre,
  nextMap,
  nextOverlayMap,
  overlayOf,
  scaleOverlay,
  scaleUpper,
  scaleWidth,
} from "../viewer/look.ts";
import type { Pane, PaneId } from "../viewer/pane.ts";
import type { Desk } from "./desk.ts";
import { nextLayout } from "./desk_state.ts";

type Command = (desk: Desk) => void;
const COARSE_SHIFT_MM = 0.5;
const FINE_SHIFT_MM = 0.1;
const COARSE_PX = 1 / 2;
const FINE_PX = 1 / 10;

const isFused = (pane: Pane): boolean => pane.id.startsWith("fused");

const onPane =
  (run: (pane: Pane, desk: Desk) => void): Command =>
  (desk) => {
    const pane = desk.activePane;
    if (pane !== null) run(pane, desk);
  };

const toPane =
  (id: PaneId): Command =>
  (desk) =>
    desk.focusPane(id);

const answer =
  (id: string, value: string | number): Command =>
  (desk) => {
    if (desk.case.questionnaire.questions.some((question) => question.id === id)) desk.answer(id, value);
  };

const moveFocus = (right: number, down: number): Command =>
  onPane((pane, desk) => {
    const { source } = pane;
    if (source === null || source.right === null || source.down === null || desk.viewer === null) return;
    const series = desk.document.series.find(({ role }) => role === (isFused(pane) ? "CT" : pane.facts.role));
    const [rowStep, columnStep] = series?.spacing_mm ?? [1, 1];
    const moved = along(
      along(desk.viewer.focus, source.right, right * columnStep),
      source.down,
      down * rowStep,
    );
    desk.setFocus(moved, pane);
    desk.outlining.redraw();
  });

const panBy = (x: number, y: number): Command =>
  onPane((pane) => {
    const [width, height] = pane.size;
    pane.panBy(x * width * 0.1, y * height * 0.1);
  });

/** Preset of the active pane by its place in the served list. */
export function applyPreset(desk: Desk, pane: Pane, index: number): void {
  const role = isFused(pane) ? "SPECT" : pane.facts.role;
  const preset = desk.document.series.find((series) => series.role === role)?.presets[index];
  if (preset === undefined) return;
  if (isFused(pane)) dressOverlay(desk, () => ({ overlay_upper: preset.upper }));
  else pane.setLook({ lower: preset.lower, upper: preset.upper });
  desk.timing.record("window", { pane: pane.id, preset: preset.name });
}

const widen = (factor: number): Command =>
  onPane((pane, desk) => {
    if (isFused(pane)) {
      const change = scaleOverlay(pane.look, factor);
      dressOverlay(desk, () => change);
    } else
      pane.setLook(pane.facts.role === "CT" ? scaleWidth(pane.look, factor) : scaleUpper(pane.look, factor));
  });

const recentre = (by: number): Command =>
  onPane((pane) => {
    if (pane.facts.role === "CT" || isFused(pane)) pane.setLook(moveCentre(pane.look, by));
  });

/** The overlay is one thing in three panes: its look changes in all of them. */
export function dressOverlay(desk: Desk, change: (pane: Pane) => Partial<Pane["look"]>): void {
  for (const pane of desk.viewer?.panes.values() ?? []) {
    if (isFused(pane)) pane.setLook(change(pane));
  }
}

function toggleLink(desk: Desk): void {
  if (desk.viewer === null) return;
  desk.viewer.isLinked = !desk.viewer.isLinked;
  desk.store.set({ isLinked: desk.viewer.isLinked });
  desk.timing.record("link", { on: desk.viewer.isLinked });
  desk.say(desk.viewer.isLinked ? "The panes are linked." : "The panes are not linked.");
}

function toggleMark(name: "crosshair" | "marks" | "ghost"): Command {
  return (desk) => {
    desk.store.set({ [name]: !desk.state[name] });
    desk.outlining.redraw();
  };
}

/** Arrow keys in outline mode move the selected vertex or the cursor, in shift mode the whole outline. */
const nudge =
  (right: number, down: number, isFine: boolean): Command =>
  (desk) => {
    const { mode } = desk.state;
    const step = isFine ? FINE_SHIFT_MM : COARSE_SHIFT_MM;
    if (mode.kind === "shift") return desk.outlining.shiftBy(right * step, down * step);
    if (mode.kind === "outline") nudgePoint(desk, mode.slot, right, down, isFine ? FINE_PX : COARSE_PX);
  };

function nudgePoint(desk: Desk, slot: Slot, right: number, down: number, pixels: number): void {
  const { mode } = desk.state;
  const image = desk.outlining.imageOn(slot);
  if (mode.kind !== "outline" || image === null) return;
  const moved = (point: Vec3): Vec3 => {
    const [row, column] = worldToPixel(image, point);
    return pixelToWorld(image, [row + down * pixels, column + right * pixels]);
  };
  const outline = desk.outlining.outlineHere(slot);
  const vertex = mode.selected === null ? undefined : outline?.vertices[mode.selected];
  if (outline !== null && vertex !== undefined && mode.selected !== null) {
    desk.outlining.commit(slot, moveVertex(outline, mode.selected, moved(vertex)), "outline_edit");
  } else {
    desk.outlining.update({ cursor: moved(mode.cursor ?? desk.case.lesion.world) });
  }
}

function setVertex(desk: Desk): void {
  const { mode } = desk.state;
  if (mode.kind !== "outline") return;
  const cursor = mode.cursor ?? desk.case.lesion.world;
  desk.outlining.update({ cursor, selected: null });
  desk.outlining.addPoint(cursor);
}

function dropLastVertex(desk: Desk): void {
  const { mode } = desk.state;
  if (mode.kind === "outline") desk.outlining.update({ open: mode.open.slice(0, -1) });
}

const selectVertex =
  (by: number): Command =>
  (desk) => {
    const { mode } = desk.state;
    if (mode.kind !== "outline") return;
    const count = desk.outlining.outlineHere(mode.slot)?.vertices.length ?? 0;
    if (count === 0) return desk.say("There is no outline on this slice.");
    const selected = ((mode.selected ?? (by > 0 ? -1 : 0)) + by + count) % count;
    desk.outlining.update({ selected, cursor: null });
    desk.say(`Vertex ${selected + 1} of ${count}`);
  };

const editSelected =
  (change: typeof insertVertex): Command =>
  (desk) => {
    const { mode } = desk.state;
    if (mode.kind !== "outline" || mode.selected === null) return;
    const outline = desk.outlining.outlineHere(mode.slot);
    if (outline === null) return;
    const next = change(outline, mode.selected);
    desk.outlining.update({ selected: Math.min(mode.selected, next.vertices.length - 1) });
    desk.outlining.commit(mode.slot, next, "outline_edit");
  };

function deleteOutline(desk: Desk): void {
  const { mode } = desk.state;
  const slot = mode.kind === "view" ? desk.outlining.slotOf(desk.activePane) : mode.slot;
  if (slot === null || desk.state.outlines.present[slot] === null || desk.outlining.isClosed()) return;
  desk.outlining.commit(slot, null, "outline_edit");
  desk.say("The outline is deleted. Ctrl+Z brings it back.");
}

function leaveMode(desk: Desk): void {
  const { mode } = desk.state;
  if (mode.kind === "outline" && mode.open.length > 0) return desk.outlining.update({ open: [] });
  if (mode.kind === "outline" && mode.selected !== null) return desk.outlining.update({ selected: null });
  desk.outlining.leave();
}

const beforeSingle = new WeakMap<Desk, Desk["state"]["layout"]>();
function toggleSingle(desk: Desk): void {
  const { layout } = desk.state;
  if (layout !== "single") beforeSingle.set(desk, layout);
  desk.setLayout(layout === "single" ? (beforeSingle.get(desk) ?? "six") : "single");
}

const focusForm: Command = () =>
  document.querySelector<HTMLElement>("#form input, #form textarea, #form button")?.focus();

/** Everything a key or a button can do. */
export const COMMANDS: Record<string, Command> = {
  help: (desk) => desk.store.set({ dialog: desk.state.dialog === "help" ? null : "help" }),
  escape: leaveMode,
  "focus-pane": (desk) => desk.activePane?.dom.root.focus(),
  "focus-form": focusForm,
  "pane-ct": toPane("ct"),
  "pane-spect": toPane("spect"),
  "pane-fused-axial": toPane("fused-axial"),
  "pane-fused-sagittal": toPane("fused-sagittal"),
  "pane-fused-coronal": toPane("fused-coronal"),
  "pane-whole-body": (desk) => desk.focusPane(desk.state.active === "wb-ant" ? "wb-post" : "wb-ant"),
  "layout-next": (desk) => desk.setLayout(nextLayout(desk.state.layout)),
  "layout-single": toggleSingle,
  save: (desk) => {
    desk.autosave.changed();
    desk.autosave.saveNow();
  },
  submit: (desk) => void desk.openSummary(),
  "call-metastasis": answer("call", "metastasis"),
  "call-benign": answer("call", "benign"),
  "confidence-1": answer("confidence", 1),
  "confidence-2": answer("confidence", 2),
  "confidence-3": answer("confidence", 3),
  "confidence-4": answer("confidence", 4),
  "confidence-5": answer("confidence", 5),
  "slice-next": onPane((pane) => pane.scroll(1)),
  "slice-previous": onPane((pane) => pane.scroll(-1)),
  "slice-next-5": onPane((pane) => pane.scroll(5)),
  "slice-previous-5": onPane((pane) => pane.scroll(-5)),
  "slice-first": onPane((pane) => void pane.show(0, true)),
  "slice-last": onPane((pane) => void pane.show(pane.count - 1, true)),
  lesion: (desk) => desk.viewer?.toLesion(),
  link: toggleLink,
  crosshair: toggleMark("crosshair"),
  "focus-left": moveFocus(-1, 0),
  "focus-right": moveFocus(1, 0),
  "focus-up": moveFocus(0, -1),
  "focus-down": moveFocus(0, 1),
  "pan-left": panBy(-1, 0),
  "pan-right": panBy(1, 0),
  "pan-up": panBy(0, -1),
  "pan-down": panBy(0, 1),
  "zoom-in": onPane((pane) => pane.zoomBy(1.25)),
  "zoom-out": onPane((pane) => pane.zoomBy(0.8)),
  fit: onPane((pane) => pane.fit()),
  "preset-1": onPane((pane, desk) => applyPreset(desk, pane, 0)),
  "preset-2": onPane((pane, desk) => applyPreset(desk, pane, 1)),
  "preset-3": onPane((pane, desk) => applyPreset(desk, pane, 2)),
  "preset-4": onPane((pane, desk) => applyPreset(desk, pane, 3)),
  narrower: widen(0.9),
  wider: widen(1.1),
  "centre-down": recentre(-25),
  "centre-up": recentre(25),
  invert: onPane((pane) => pane.setLook({ invert: !pane.look.invert })),
  "colour-map": onPane((pane, desk) => {
    if (isFused(pane)) dressOverlay(desk, ({ look }) => ({ overlay_map: nextOverlayMap(look.overlay_map) }));
    else pane.setLook({ map: nextMap(pane.look.map) });
  }),
  interpolation: onPane((pane) =>
    pane.setLook({ interpolation: pane.look.interpolation === "linear" ? "nearest" : "linear" }),
  ),
  reset: onPane((pane, desk) => {
    pane.setLook({ ...pane.protocol });
    if (isFused(pane)) dressOverlay(desk, () => overlayOf(pane.protocol));
  }),
  overlay: (desk) => dressOverlay(desk, ({ look }) => ({ overlay: !look.overlay })),
  "opacity-down": (desk) => dressOverlay(desk, ({ look }) => changeOpacity(look, -0.1)),
  "opacity-up": (desk) => dressOverlay(desk, ({ look }) => changeOpacity(look, 0.1)),
  marks: toggleMark("marks"),
  "outline-mode": (desk) => desk.outlining.toggle(),
  undo: (desk) => desk.outlining.undo(),
  redo: (desk) => desk.outlining.redo(),
  "tool-freehand": (desk) => desk.outlining.setTool("freehand"),
  "tool-points": (desk) => desk.outlining.setTool("points"),
  "cursor-left": nudge(-1, 0, false),
  "cursor-right": nudge(1, 0, false),
  "cursor-up": nudge(0, -1, false),
  "cursor-down": nudge(0, 1, false),
  "cursor-left-fine": nudge(-1, 0, true),
  "cursor-right-fine": nudge(1, 0, true),
  "cursor-up-fine": nudge(0, -1, true),
  "cursor-down-fine": nudge(0, 1, true),
  "vertex-set": setVertex,
  "vertex-back": dropLastVertex,
  close: (desk) => desk.outlining.closePoints(),
  "vertex-next": selectVertex(1),
  "vertex-previous": selectVertex(-1),
  "vertex-insert": editSelected(insertVertex),
  "vertex-delete": editSelected(removeVertex),
  "outline-delete": deleteOutline,
  copy: (desk) => void desk.outlining.copy(),
  "shift-mode": (desk) => desk.outlining.startShift(),
  "shift-slice-up": (desk) => void desk.outlining.shiftSlice(1),
  "shift-slice-down": (desk) => void desk.outlining.shiftSlice(-1),
  ghost: toggleMark("ghost"),
};
