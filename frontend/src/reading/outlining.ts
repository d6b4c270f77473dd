import type { Outline, Slot, Vec3 } from "../api/types.ts";
import {
  copyOutline,
  copyRefusal,
  copyTarget,
  freehandOutline,
  middleOf,
  moveToSlice,
  moveVertex,
  pointsOutline,
  shiftOutline,
  vertexAt,
} from "../roi/editing.ts";
import { type BoundImage, projectToPlane } from "../roi/geometry.ts";
import { commit, redo, redoSlot, undo, undoSlot } from "../roi/outline_store.ts";
import { along, distance } from "../roi/vec.ts";
import { pixelsPerMm } from "../viewer/affine.ts";
import type { Scene, SceneOutline } from "../viewer/overlay.ts";
import type { Pane } from "../viewer/pane.ts";
import { attachPointer, type PointerTaker } from "../viewer/pointer.ts";
import type { Viewer } from "../viewer/viewer.ts";
import { dressOverlay } from "./commands.ts";
import type { Desk } from "./desk.ts";
import type { Mode } from "./desk_state.ts";
import { other, PANE_OF, slotOfPane } from "./slots.ts";

const GRAB_PX = 8;
const LEAST_PX_PER_PIXEL = 3;
const LARGEST_MM_PER_PX = 0.35;
const PLAIN = { closed: true, ghost: false, faulty: false, handles: false, selected: null };
const CANNOT_CHANGE = "This read cannot change.";

type OutlineMode = Extract<Mode, { kind: "outline" }>;

/** Outline and shift mode: pointer and keys in, steps of the outline store out, everything redrawn. */
export class Outlining {
  readonly #desk: Desk;
  #stroke: Vec3[] = [];
  #grabbed: { slot: Slot; index: number; outline: Outline } | null = null;
  #detach: (() => void)[] = [];

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  get mode(): Mode {
    return this.#desk.state.mode;
  }

  attach(viewer: Viewer): void {
    for (const pane of viewer.panes.values()) this.#detach.push(attachPointer(pane, this.#taker()));
  }

  detach(): void {
    for (const detach of this.#detach) detach();
    this.#detach = [];
  }

  slotOf(pane: Pane | null): Slot | null {
    return slotOfPane(pane?.id);
  }

  imageOn(slot: Slot): BoundImage | null {
    const image = this.#desk.pane(PANE_OF[slot])?.plane?.image;
    if (image == null) return null;
    return (
      this.#desk.images[slot].find(
        ({ sop_instance_uid, frame }) => sop_instance_uid === image.sop_instance_uid && frame === image.frame,
      ) ?? null
    );
  }

  outlineHere(slot: Slot): Outline | null {
    const outline = this.#desk.state.outlines.present[slot];
    const image = this.imageOn(slot);
    const same = outline?.sop_instance_uid === image?.sop_instance_uid && outline?.frame === image?.frame;
    return outline !== null && image !== null && same ? outline : null;
  }

  toggle(): void {
    if (this.mode.kind !== "view") return this.leave();
    if (this.#desk.case.task !== "outline") return this.#desk.say("This case is read, not outlined.");
    const slot = this.slotOf(this.#desk.activePane);
    if (slot === null) return this.#desk.say("Outlines are drawn on the CT axial or the SPECT axial pane.");
    if (this.isClosed()) return;
    this.enter(slot, "freehand");
  }

  enter(slot: Slot, tool: OutlineMode["tool"]): void {
    this.#setMode({ kind: "outline", slot, tool, cursor: null, selected: null, open: [] });
    this.#closeUp(slot);
    this.#desk.timing.record("outline_start", { slot, tool });
    this.#desk.say(`Outline mode on ${slot}: ${tool}. Escape leaves.`);
  }

  leave(): void {
    if (this.mode.kind === "view") return;
    this.#setMode({ kind: "view" });
    this.#desk.say("Outline mode is off.");
  }

  paneChanged(): void {
    const slot = this.slotOf(this.#desk.activePane);
    if (this.mode.kind !== "view" && (slot === null || slot !== this.mode.slot)) this.leave();
  }

  /** What was begun on one slice is never finished on another. */
  sliceChanged(pane: Pane): void {
    if (this.mode.kind !== "outline" || this.slotOf(pane) !== this.mode.slot) return;
    const isBegun = this.#stroke.length > 0 || this.#grabbed !== null || this.mode.open.length > 0;
    this.#setMode({ ...this.mode, open: [], selected: null });
    if (isBegun) this.#desk.say("The slice changed, so the unfinished outline was dropped.");
  }

  setTool(tool: OutlineMode["tool"]): void {
    if (this.mode.kind === "outline") this.#setMode({ ...this.mode, tool, selected: null, open: [] });
  }

  update(change: Partial<OutlineMode>): void {
    if (this.mode.kind === "outline") this.#setMode({ ...this.mode, ...change });
  }

  /** Says so and answers true where nothing may be drawn any more. */
  isClosed(): boolean {
    if (!this.#desk.isEditable) this.#desk.say(CANNOT_CHANGE);
    return !this.#desk.isEditable;
  }

  /** One undoable step, saved at once when an outline appears or goes. */
  commit(slot: Slot, outline: Outline | null, kind: string): void {
    if (this.isClosed()) return;
    const { outlines } = this.#desk.state;
    const isNew = (outlines.present[slot] === null) !== (outline === null);
    this.#desk.store.set({ outlines: commit(outlines, slot, outline) });
    this.#desk.timing.record(kind, { slot });
    this.#desk.changed(isNew || kind === "outline_close" ? "now" : "soon");
    this.redraw();
  }

  undo(): void {
    const { outlines } = this.#desk.state;
    this.#travel(undoSlot(outlines), () => undo(outlines), "Nothing to undo.");
  }

  redo(): void {
    const { outlines } = this.#desk.state;
    this.#travel(redoSlot(outlines), () => redo(outlines), "Nothing to redo.");
  }

  addPoint(world: Vec3): void {
    if (this.mode.kind !== "outline") return;
    const image = this.imageOn(this.mode.slot);
    if (image === null || this.#desk.pane(PANE_OF[this.mode.slot])?.isPending) return;
    this.update({ open: [...this.mode.open, projectToPlane(image, world)], tool: "points" });
  }

  closePoints(): void {
    if (this.mode.kind !== "outline" || this.mode.open.length < 3) return;
    const image = this.imageOn(this.mode.slot);
    if (image === null) return;
    const { slot, open } = this.mode;
    this.update({ open: [], cursor: null });
    this.commit(slot, pointsOutline(image, open), "outline_close");
  }

  /** Whether an outline can go to the other modality, and if not, why. */
  copyRefusal(): string | null {
    const slot = this.#slotInHand();
    const image = slot === null ? null : this.imageOn(slot);
    if (slot === null || image === null || this.outlineHere(slot) === null)
      return "There is no outline on this slice.";
    const { copy } = this.#desk.case;
    return copy.ok ? copyRefusal(image, this.#desk.images[other(slot)]) : copy.reason;
  }

  /** Copies to the other modality and starts shift mode there; an existing outline is asked about once. */
  async copy(isConfirmed = false): Promise<void> {
    if (this.isClosed()) return;
    const refusal = this.copyRefusal();
    if (refusal !== null) return this.#desk.say(refusal);
    const slot = this.#slotInHand() as Slot;
    const target = other(slot);
    if (this.#desk.state.outlines.present[target] !== null && !isConfirmed) {
      return this.#desk.store.set({ dialog: "replace" });
    }
    const [outline, image] = [this.outlineHere(slot), this.imageOn(slot)];
    const images = this.#desk.images[target];
    const to = image === null ? undefined : images[copyTarget(image, images, this.#desk.case.lesion.world)];
    if (outline === null || image === null || to === undefined) return;
    const revision = this.#desk.state.outlines.revision[slot];
    this.commit(target, copyOutline(outline, { slot, revision, image }, to), "copy");
    this.#desk.focusPane(PANE_OF[target]);
    await this.#showSliceOf(target);
    // whoever has gone on to another pane or outline while the slice was loading is left there
    if (this.mode.kind === "view" && this.slotOf(this.#desk.activePane) === target) this.startShift(target);
  }

  startShift(slot: Slot | null = this.#slotInHand()): void {
    if (this.isClosed()) return;
    if (slot === null || this.#desk.state.outlines.present[slot] === null) {
      return this.#desk.say("There is no outline to shift.");
    }
    this.#setMode({ kind: "shift", slot });
    this.#closeUp(slot);
    this.#desk.say(`Shift mode on ${slot}: arrows move the outline by 0.5 mm. Escape leaves.`);
  }

  shiftBy(right: number, down: number): void {
    if (this.mode.kind !== "shift") return;
    const { slot } = this.mode;
    const [outline, image] = [this.outlineHere(slot), this.imageOn(slot)];
    if (outline === null || image === null) return void this.#showSliceOf(slot);
    this.commit(slot, shiftOutline(outline, image, right, down), "shift");
  }

  async shiftSlice(by: number): Promise<void> {
    if (this.mode.kind !== "shift") return;
    const { slot } = this.mode;
    const [outline, from] = [this.outlineHere(slot), this.imageOn(slot)];
    const pane = this.#desk.pane(PANE_OF[slot]);
    const to = pane === null ? undefined : this.#desk.images[slot][pane.index + by];
    if (outline === null || from === null || to === undefined || pane === null) return;
    this.commit(slot, moveToSlice(outline, from, to, by), "shift");
    await pane.show(pane.index + by, true);
  }

  /** Draws outlines, crosshair, marker and cursor of every pane anew. */
  redraw(): void {
    const panes = this.#desk.viewer?.panes.values() ?? [];
    for (const pane of panes) pane.setScene(this.#sceneOf(pane));
  }

  #slotInHand(): Slot | null {
    return this.mode.kind === "view" ? this.slotOf(this.#desk.activePane) : this.mode.slot;
  }

  #setMode(mode: Mode): void {
    this.#stroke = [];
    this.#grabbed = null;
    this.#desk.store.set({ mode });
    this.redraw();
  }

  #closeUp(slot: Slot): void {
    const pane = this.#desk.pane(PANE_OF[slot]);
    const image = this.imageOn(slot);
    if (pane === null || image === null) return;
    const least = Math.max(1 / LARGEST_MM_PER_PX, LEAST_PX_PER_PIXEL / Math.min(...image.spacing_mm));
    const outline = this.outlineHere(slot);
    const centre = outline === null ? this.#desk.case.lesion.world : middleOf(outline);
    pane.closeUp(projectToPlane(image, centre), least);
  }

  #travel(slot: Slot | null, step: () => Desk["state"]["outlines"], nothing: string): void {
    if (!this.#desk.isEditable) return;
    if (slot === null) return this.#desk.say(nothing);
    this.#desk.store.set({ outlines: step() });
    this.#desk.changed();
    void this.#showSliceOf(slot);
    this.redraw();
  }

  async #showSliceOf(slot: Slot): Promise<void> {
    const outline = this.#desk.state.outlines.present[slot];
    const pane = this.#desk.pane(PANE_OF[slot]);
    if (outline === null || pane === null) return;
    await this.#desk.viewer?.showImage(pane, outline.sop_instance_uid, outline.frame);
  }

  #taker(): PointerTaker {
    return {
      tool: () => this.#desk.state.tool,
      takes: (pane) =>
        this.mode.kind === "outline" && this.slotOf(pane) === this.mode.slot && !pane.isPending,
      activate: (pane) => this.#desk.activate(pane.id),
      down: (pane, world) => this.#down(pane, world),
      move: (_, world, event) => this.#move(world, (event.buttons & 1) === 1),
      up: (pane, world) => this.#up(pane, world),
      cancel: (pane) => this.#up(pane, null),
      dressOverlay: (change) => dressOverlay(this.#desk, change),
      click: (pane, world) => this.#click(pane, world),
    };
  }

  #click(pane: Pane, world: Vec3): void {
    if (this.#desk.state.crosshair && pane.source?.normal != null) this.#desk.setFocus(world, pane);
  }

  #down(pane: Pane, world: Vec3): void {
    if (this.mode.kind !== "outline" || pane.affine === null) return;
    const reach = GRAB_PX / pixelsPerMm(pane.affine);
    const outline = this.outlineHere(this.mode.slot);
    const index = outline === null || this.mode.tool === "freehand" ? null : vertexAt(outline, world, reach);
    if (outline !== null && index !== null && this.mode.open.length === 0) {
      this.update({ selected: index, cursor: null });
      this.#grabbed = { slot: this.mode.slot, index, outline };
    } else if (this.mode.tool === "freehand") {
      this.#stroke = [world];
    }
  }

  #move(world: Vec3, isDown: boolean): void {
    if (!isDown || this.mode.kind !== "outline") return;
    const image = this.imageOn(this.mode.slot);
    if (image === null) return;
    if (this.#grabbed !== null) {
      const { outline, index } = this.#grabbed;
      this.#grabbed.outline = moveVertex(outline, index, projectToPlane(image, world));
    } else if (this.#stroke.length > 0) {
      this.#stroke.push(world);
    }
    this.redraw();
  }

  /** `world` is null where the pointer was taken away: what was drawn is kept, no place is added. */
  #up(pane: Pane, world: Vec3 | null): void {
    if (this.mode.kind !== "outline" || pane.affine === null) return;
    const { slot, tool, open } = this.mode;
    const [grabbed, stroke, image] = [this.#grabbed, this.#stroke, this.imageOn(slot)];
    [this.#grabbed, this.#stroke] = [null, []];
    if (image === null || pane.isPending) return this.redraw();
    if (grabbed !== null) return this.#dropVertex(grabbed);
    if (tool === "points") {
      if (world === null) return this.redraw();
      const reach = GRAB_PX / pixelsPerMm(pane.affine);
      const closes = open[0] !== undefined && open.length >= 3 && distance(open[0], world) <= reach;
      return closes ? this.closePoints() : this.addPoint(world);
    }
    const outline = freehandOutline(image, stroke);
    if (outline.vertices.length >= 3) this.commit(slot, outline, "outline_close");
    else this.redraw();
  }

  #dropVertex({ slot, outline }: { slot: Slot; outline: Outline }): void {
    if (outline === this.outlineHere(slot)) return this.redraw();
    this.commit(slot, outline, "outline_edit");
  }

  #sceneOf(pane: Pane): Scene {
    const { state, viewer } = this.#desk;
    const slot = this.slotOf(pane);
    const focus = viewer?.focus ?? null;
    const away = focus === null ? null : pane.distanceTo(focus);
    const mode = this.mode;
    return {
      outlines: slot === null || !state.marks ? [] : this.#outlinesOn(slot),
      crosshair:
        state.crosshair && focus !== null && away !== null
          ? { point: focus, inPlane: Math.abs(away) <= (pane.source?.step_mm ?? 0) / 2 + 1e-6 }
          : null,
      marker: state.marks ? this.#markerOn(pane) : null,
      cursor: mode.kind === "outline" && mode.slot === slot ? mode.cursor : null,
    };
  }

  #markerOn(pane: Pane): Vec3 | null {
    const { world, whole_body } = this.#desk.case.lesion;
    const pixel = { "wb-ant": whole_body?.anterior, "wb-post": whole_body?.posterior }[pane.id as string];
    if (pixel != null) {
      const series = this.#desk.document.series.find(({ role }) => role === pane.facts.role);
      const [down, right] = series?.spacing_mm ?? [1, 1];
      return [pixel[0] * right, pixel[1] * down, 0];
    }
    const away = pane.distanceTo(world);
    if (away === null || pane.source === null || pane.source.normal === null) return null;
    return Math.abs(away) <= pane.source.step_mm / 2 + 1e-6 ? along(world, pane.source.normal, -away) : null;
  }

  #outlinesOn(slot: Slot): SceneOutline[] {
    const drawn: SceneOutline[] = [];
    const mode = this.mode;
    const isMine = mode.kind === "outline" && mode.slot === slot;
    const plain = { ...PLAIN, slot };
    const outline = this.#grabbed?.slot === slot ? this.#grabbed.outline : this.outlineHere(slot);
    const isReplaced = isMine && (mode.open.length > 0 || this.#stroke.length > 0);
    if (outline !== null) {
      const handles = isMine && (mode.tool === "points" || mode.selected !== null);
      const faulty = this.#desk.outlineFaults(slot).length > 0;
      const selected = isMine ? mode.selected : null;
      drawn.push({ ...plain, vertices: outline.vertices, faulty, handles, selected, ghost: isReplaced });
    }
    if (isMine && this.#stroke.length > 1) drawn.push({ ...plain, vertices: this.#stroke, closed: false });
    if (isMine && mode.open.length > 0)
      drawn.push({ ...plain, vertices: mode.open, closed: false, handles: true });
    return [...drawn, ...this.#ghostsOn(slot)];
  }

  #ghostsOn(slot: Slot): SceneOutline[] {
    const outline = this.#desk.state.outlines.present[other(slot)];
    const away =
      outline?.vertices[0] === undefined
        ? null
        : this.#desk.pane(PANE_OF[slot])?.distanceTo(outline.vertices[0]);
    const reach = (this.#desk.pane(PANE_OF[other(slot)])?.source?.step_mm ?? 0) / 2 + 1e-6;
    if (!this.#desk.state.ghost || outline === null || !this.#desk.case.copy.ok) return [];
    if (away == null || Math.abs(away) > reach) return [];
    return [{ ...PLAIN, vertices: outline.vertices, slot: other(slot), ghost: true }];
  }
}
