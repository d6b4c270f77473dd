import { Enums, EVENTS, type PlanarViewport } from "@cornerstonejs/core";
import type { Vec3 } from "../api/types.ts";
import { directionLetters } from "../roi/link.ts";
import { dot, subtract } from "../roi/vec.ts";
import { type Affine, affineOf, affineText, canvasScale, pixelsPerMm, scaleAffine } from "./affine.ts";
import type { Engine } from "./engine.ts";
import type { Look } from "./look.ts";
import { drawScene, EMPTY_SCENE, type Scene } from "./overlay.ts";
import { buildPaneDom, type PaneDom } from "./pane_dom.ts";
import type { PaneSource, SlicePlane } from "./source.ts";

export type PaneId =
  | "ct"
  | "spect"
  | "fused-axial"
  | "fused-sagittal"
  | "fused-coronal"
  | "wb-ant"
  | "wb-post";
export type PaneState = "empty" | "loading" | "ready" | "error";

export interface PaneFacts {
  id: PaneId;
  role: string;
  title: string;
  letters: { left: string; right: string; top: string; bottom: string } | null;
}
export interface PaneEvents {
  onSlice: (pane: Pane, byUser: boolean) => void;
  onState: (pane: Pane) => void;
  onLook: (pane: Pane) => void;
  onImageError: (pane: Pane, index: number) => void;
  /** Asked to try again where nothing could be mounted yet. */
  onRetryEmpty: (pane: Pane) => void;
}

/** One image area: a cornerstone viewport, its overlay, its labels, and the state it is in. */
export class Pane {
  readonly id: PaneId;
  readonly facts: PaneFacts;
  readonly dom: PaneDom;
  source: PaneSource | null = null;
  viewport: PlanarViewport | null = null;
  look: Look;
  readonly protocol: Look;
  state: PaneState = "empty";
  index = 0;
  affine: Affine | null = null;
  #wanted = 0;
  #mounted = false;
  #scale = 1;
  #scene: Scene = EMPTY_SCENE;
  readonly #engine: Engine;
  readonly #events: PaneEvents;

  constructor(engine: Engine, facts: PaneFacts, protocol: Look, look: Look, events: PaneEvents) {
    this.#engine = engine;
    this.id = facts.id;
    this.facts = facts;
    this.protocol = protocol;
    this.look = look;
    this.#events = events;
    this.dom = buildPaneDom(facts, () => void this.retry());
  }

  get plane(): SlicePlane | null {
    return this.source?.planes[this.index] ?? null;
  }
  /** True while the picture is not yet the slice that was asked for: no drawing then. */
  get isPending(): boolean {
    return this.#wanted !== this.index || this.state !== "ready";
  }
  get count(): number {
    return this.source?.planes.length ?? 0;
  }

  enable(): void {
    const { stage } = this.dom;
    this.#engine.rendering.enableElement({
      viewportId: this.id,
      type: Enums.ViewportType.PLANAR_NEXT,
      element: stage,
      defaultOptions: { background: [0, 0, 0] },
    } as never);
    this.viewport = this.#engine.rendering.getViewport(this.id) as unknown as PlanarViewport;
    stage.addEventListener(EVENTS.STACK_NEW_IMAGE, () => this.#settle());
    stage.addEventListener(EVENTS.IMAGE_RENDERED, () => this.#publish());
  }

  say(reason: string, state: PaneState = "empty"): void {
    this.#setState(state, reason);
  }

  async open(source: PaneSource, index: number): Promise<void> {
    this.source = source;
    this.#mounted = false;
    await this.show(index);
  }

  /** Shows a slice; resolves when it is on the screen, failed, or was overtaken by another wish. */
  async show(index: number, byUser = false): Promise<void> {
    const { source, viewport } = this;
    if (source === null || viewport === null) return;
    const wanted = Math.min(Math.max(0, index), source.planes.length - 1);
    this.#wanted = wanted;
    if (!source.isLoaded(wanted)) {
      this.#setState("loading", "Loading the image …");
      const failed = await source.load(wanted).then(
        () => null,
        (error: unknown) => (error instanceof Error ? error.message : "The image cannot be shown."),
      );
      if (this.#wanted !== wanted || this.viewport !== viewport) return;
      if (failed !== null) return this.#fail(wanted, failed);
    }
    await this.#display(source, viewport, wanted);
    if (this.#wanted !== wanted || this.viewport !== viewport) return;
    this.index = wanted;
    this.#setState("ready", "");
    this.#label();
    this.#events.onSlice(this, byUser);
  }

  async retry(): Promise<void> {
    if (this.source === null) return this.#events.onRetryEmpty(this);
    this.#mounted = false;
    await this.show(this.#wanted);
  }

  scroll(by: number): void {
    void this.show(this.#wanted + by, true);
  }

  setLook(change: Partial<Look>): void {
    this.look = { ...this.look, ...change };
    const { source, viewport } = this;
    if (source !== null && viewport !== null && this.#mounted) {
      source.dress(viewport, this.look);
      if ("zoom" in change || "centre" in change) this.#applyCamera(viewport);
    }
    this.#label();
    this.#events.onLook(this);
  }

  fit(): void {
    this.setLook({ zoom: 1, centre: null });
  }

  /** Zooms by a factor, keeping the world point under `at` (canvas pixels) in its place. */
  zoomBy(factor: number, at?: [number, number]): void {
    const [width, height] = this.size;
    const [x, y] = at ?? [width / 2, height / 2];
    const zoom = Math.min(40, Math.max(0.2, this.look.zoom * factor));
    const ratio = this.look.zoom / zoom;
    const centre = this.toWorld([x + (width / 2 - x) * ratio, y + (height / 2 - y) * ratio]);
    this.setLook({ zoom, centre });
  }

  panBy(dx: number, dy: number): void {
    const [width, height] = this.size;
    this.setLook({ centre: this.toWorld([width / 2 - dx, height / 2 - dy]) });
  }

  /** Centres on a point with at least the given number of CSS pixels per millimetre. */
  closeUp(point: Vec3, leastPixelsPerMm: number): void {
    if (this.affine === null) return;
    const zoom = this.look.zoom * Math.max(1, leastPixelsPerMm / pixelsPerMm(this.affine));
    this.setLook({ zoom: Math.min(40, zoom), centre: point });
  }

  get size(): [number, number] {
    return [this.dom.stage.clientWidth, this.dom.stage.clientHeight];
  }

  toWorld(canvas: [number, number]): Vec3 {
    const world = this.viewport?.canvasToWorld([canvas[0] / this.#scale, canvas[1] / this.#scale]) ?? [
      0, 0, 0,
    ];
    return [world[0], world[1], world[2]];
  }

  setScene(scene: Scene): void {
    this.#scene = scene;
    if (this.affine !== null) drawScene(this.dom.overlay, this.affine, scene);
  }

  /** Signed distance in mm of a point from the shown plane; null where there is no space. */
  distanceTo(point: Vec3): number | null {
    const { plane, source } = this;
    if (plane === null || source === null || source.normal === null) return null;
    return dot(subtract(point, plane.position), source.normal);
  }

  resized(): void {
    if (this.#mounted && this.viewport !== null && this.dom.stage.clientWidth > 0)
      this.#applyCamera(this.viewport);
  }

  async #display(source: PaneSource, viewport: PlanarViewport, index: number): Promise<void> {
    if (this.#mounted) {
      if (!source.isShown(viewport, index)) {
        await source.show(viewport, index);
        await this.#untilShown(source, viewport, index);
      }
      return;
    }
    await source.mount(viewport, index, this.look);
    this.#mounted = true;
    this.#applyCamera(viewport);
  }

  #waiting: (() => void)[] = [];

  async #untilShown(source: PaneSource, viewport: PlanarViewport, index: number): Promise<void> {
    while (this.#wanted === index && this.viewport === viewport && !source.isShown(viewport, index)) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        setTimeout(resolve, 200);
      });
    }
  }

  #settle(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #applyCamera(viewport: PlanarViewport): void {
    const { zoom, centre } = this.look;
    viewport.setViewState({
      scale: [zoom, zoom],
      scaleMode: "fit",
      anchorCanvas: [0.5, 0.5],
      anchorWorld: centre ?? undefined,
    } as never);
    this.#publish();
  }

  #fail(index: number, reason: string): void {
    this.#setState("error", reason);
    this.#events.onImageError(this, index);
  }

  #setState(state: PaneState, reason: string): void {
    this.state = state;
    this.dom.setState(state, reason);
    this.#events.onState(this);
  }

  #publish(): void {
    if (this.viewport === null || !this.#mounted || this.dom.stage.clientWidth === 0) return;
    const { viewport } = this;
    const raw = affineOf((point) => viewport.worldToCanvas(point));
    const middle = this.look.centre ?? this.source?.middle(this.index) ?? [0, 0, 0];
    this.#scale = canvasScale(raw, middle, this.size);
    this.affine = scaleAffine(raw, this.#scale);
    this.dom.root.dataset.affine = affineText(this.affine);
    drawScene(this.dom.overlay, this.affine, this.#scene);
  }

  #label(): void {
    const { plane, source } = this;
    if (plane === null || source === null) return;
    this.dom.label(this.index, this.count, plane, this.look, this.id.startsWith("fused"));
    const letters = this.facts.letters ?? lettersOf(source);
    if (letters !== null) this.dom.letter(letters);
  }
}

const negate = (v: Vec3): Vec3 => [-v[0], -v[1], -v[2]];

function lettersOf({ right, down }: PaneSource): PaneFacts["letters"] {
  if (right === null || down === null) return null;
  return {
    left: directionLetters(negate(right)),
    right: directionLetters(right),
    top: directionLetters(negate(down)),
    bottom: directionLetters(down),
  };
}
