import type { CaseDocument, Role, SeriesDocument, Vec3 } from "../api/types.ts";
import { focusOnPlane, nearestSlice, outwards } from "../roi/link.ts";
import type { FusedPlane } from "../roi/volume_cut.ts";
import { imageIdOf } from "./answers.ts";
import { type Engine, startEngine } from "./engine.ts";
import { ImageLoader } from "./loader.ts";
import { protocolLook, restoreLook } from "./look.ts";
import { provideMetadata } from "./metadata.ts";
import { Pane, type PaneEvents, type PaneId } from "./pane.ts";
import { type PaneProtocol, PROTOCOL } from "./protocol.ts";
import { buildVolumes, fusedSource, nativeSource } from "./source.ts";

export interface ViewerEvents {
  onSlice: (pane: Pane, byUser: boolean) => void;
  onState: (pane: Pane) => void;
  onLook: (pane: Pane) => void;
  onFocus: (focus: Vec3) => void;
  onImageError: (pane: Pane, index: number) => void;
  onNativeReady: () => void;
  onAllReady: () => void;
  onBackendChanged: (reason: string) => void;
  onStatus: (text: string) => void;
}

const FUSED: Partial<Record<PaneId, FusedPlane>> = {
  "fused-axial": "axial",
  "fused-sagittal": "sagittal",
  "fused-coronal": "coronal",
};
/** Above this many voxel bytes the fused panes stay off. */
const MEMORY_BAR_BYTES = 1_200_000_000;

/** All panes of one open case: hanging, loading, linking, and taking everything down again. */
export class Viewer {
  readonly panes = new Map<PaneId, Pane>();
  readonly engine: Engine;
  focus: Vec3;
  isLinked = true;
  readonly #document: CaseDocument;
  readonly #events: ViewerEvents;
  readonly #loader: ImageLoader;
  readonly #forget: () => void;
  readonly #series: Map<Role, SeriesDocument>;
  #closed = false;
  readonly #resize: ResizeObserver;

  constructor(document: CaseDocument, host: HTMLElement, events: ViewerEvents) {
    this.#document = document;
    this.#events = events;
    this.#series = new Map(document.series.map((series) => [series.role, series]));
    this.#forget = provideMetadata(document.series);
    this.#loader = new ImageLoader(document.series);
    this.engine = startEngine(document.case.preferences.backend, events.onBackendChanged);
    this.focus = document.case.draft.document?.focus ?? document.case.lesion.world;
    this.#resize = new ResizeObserver(() => this.#resized());
    for (const protocol of PROTOCOL) this.#addPane(protocol, host);
  }

  get fusionReason(): string | null {
    const [ct, spect] = [this.#series.get("CT"), this.#series.get("SPECT")];
    const registration = this.#document.case.registration;
    if (ct === undefined) return "This case has no CT.";
    if (spect === undefined) return "This case has no SPECT.";
    if (!registration.ok) return registration.reason;
    if (!ct.volume_ok) return ct.volume_reason;
    if (!spect.volume_ok) return spect.volume_reason;
    const voxels = (s: SeriesDocument): number => s.images.length * s.pixel.rows * s.pixel.columns;
    const bytes = 4 * (voxels(ct) + voxels(spect));
    return bytes > MEMORY_BAR_BYTES ? "Fusion is off: the series are too large for this browser." : null;
  }

  /** Lesion slices first, whole body next, then the rest outwards, then the fused panes. */
  async open(): Promise<void> {
    for (const pane of this.panes.values()) pane.enable();
    this.#sayMissing();
    const native = PROTOCOL.filter(({ role }) => role !== null);
    await Promise.all(native.map((protocol) => this.#openNative(protocol)));
    if (this.#closed) return;
    this.#events.onNativeReady();
    if (this.#document.case.draft.document !== null) await this.#restoreSlices();
    await this.#finish();
    if (!this.#closed) this.#events.onAllReady();
  }

  /** Everything after the native panes; run again when missing images are asked for once more. */
  async #finish(): Promise<void> {
    const failed = await this.#loadRest();
    if (!this.#closed) await this.#openFused(failed);
  }

  /** Sets the focus point and moves every linked pane but the one it came from. */
  setFocus(focus: Vec3, from: Pane | null): void {
    this.focus = focus;
    this.#events.onFocus(focus);
    for (const pane of this.panes.values()) {
      if (pane !== from && this.isLinkable(pane)) this.#follow(pane);
    }
  }

  /** Linking is off where CT and SPECT share no space. */
  isLinkable(pane: Pane): boolean {
    return pane.source?.normal !== null && pane.source !== null && this.#document.case.registration.ok;
  }

  toLesion(): void {
    this.focus = this.#document.case.lesion.world;
    this.#events.onFocus(this.focus);
    for (const pane of this.panes.values()) {
      if (pane.source?.normal != null) this.#follow(pane);
    }
  }

  /** Shows the slice that holds an image; false if the pane has no such image. */
  async showImage(pane: Pane, sopInstanceUid: string, frame: number): Promise<boolean> {
    const index =
      pane.source?.planes.findIndex(
        ({ image }) => image?.sop_instance_uid === sopInstanceUid && image.frame === frame,
      ) ?? -1;
    if (index < 0) return false;
    await pane.show(index);
    return true;
  }

  /** Panes go at once; metadata and cache when the images under way have settled, for their decoding asks for both. */
  async dispose(): Promise<void> {
    this.#closed = true;
    this.#resize.disconnect();
    for (const pane of this.panes.values()) {
      pane.viewport = null;
      pane.source = null;
      pane.dom.root.remove();
    }
    this.panes.clear();
    await this.#loader.close();
    this.engine.dispose();
    this.#forget();
  }

  #addPane({ id, role, title, letters }: PaneProtocol, host: HTMLElement): void {
    const fused = role === null;
    const ct = this.#series.get("CT");
    const own = fused ? ct : this.#series.get(role);
    const series = own ?? this.#document.series[0];
    if (series === undefined) throw new Error("the case has no images");
    const protocol = protocolLook(fused ? ct : undefined, series, this.#series.get("SPECT"));
    const saved = this.#document.case.draft.document?.looks[id];
    const facts = { id, role: role ?? "CT+SPECT", title: this.#title(role, title), letters };
    const pane = new Pane(this.engine, facts, protocol, restoreLook(protocol, saved), this.#paneEvents());
    this.panes.set(id, pane);
    host.append(pane.dom.root);
    this.#resize.observe(pane.dom.root);
  }

  #title(role: Role | null, title: string): string {
    const own = role === null ? undefined : this.#series.get(role)?.title;
    if (own?.startsWith(title)) return own; // a whole-body view that was assumed says so
    const second = this.#series.get("SPECT")?.title ?? "SPECT";
    return (role === null ? title : title.replace("CT", this.#series.get("CT")?.title ?? "CT")).replace(
      "SPECT",
      second,
    );
  }

  #paneEvents(): PaneEvents {
    return {
      onState: this.#events.onState,
      onLook: this.#events.onLook,
      onImageError: this.#events.onImageError,
      onRetryEmpty: () => void this.#finish(),
      onSlice: (pane, byUser) => {
        this.#events.onSlice(pane, byUser);
        if (byUser) this.#scrolled(pane);
      },
    };
  }

  #scrolled(pane: Pane): void {
    const { plane, source } = pane;
    if (!this.isLinked || plane === null || source?.normal == null || !this.isLinkable(pane)) return;
    this.setFocus(focusOnPlane(this.focus, plane.position, source.normal), pane);
  }

  #follow(pane: Pane): void {
    const { source } = pane;
    if (source === null || source.normal === null) return;
    const positions = source.planes.map(({ position }) => position);
    const index = nearestSlice(positions, source.normal, this.focus);
    if (index !== pane.index || pane.isPending) void pane.show(index);
    else this.#events.onSlice(pane, false);
  }

  #sayMissing(): void {
    for (const { id, role } of PROTOCOL) {
      const pane = this.panes.get(id);
      if (pane === undefined) continue;
      if (role !== null && this.#series.get(role) === undefined)
        pane.say(`This case has no ${pane.facts.title} images.`);
      if (role === null)
        pane.say(this.fusionReason ?? "Waiting for the images …", this.fusionReason ? "empty" : "loading");
    }
  }

  async #openNative({ id, role }: PaneProtocol): Promise<void> {
    const [pane, series] = [this.panes.get(id), role === null ? undefined : this.#series.get(role)];
    if (pane === undefined || series === undefined || series.images.length === 0) return;
    const source = nativeSource(series, this.#loader);
    const index =
      source.normal === null
        ? 0
        : nearestSlice(
            source.planes.map(({ position }) => position),
            source.normal,
            this.focus,
          );
    await pane.open(source, index);
  }

  async #restoreSlices(): Promise<void> {
    const looks = this.#document.case.draft.document?.looks ?? {};
    for (const pane of this.panes.values()) {
      const saved = looks[pane.id];
      if (typeof saved !== "object" || saved === null || !("slice" in saved)) continue;
      const { slice } = saved;
      if (typeof slice !== "string") continue;
      const [sop, frame] = slice.split("|");
      if (sop !== undefined) await this.showImage(pane, sop, Number(frame));
    }
  }

  async #loadRest(): Promise<string[]> {
    const [ct, spect] = [this.#series.get("CT"), this.#series.get("SPECT")];
    const ids = (series: SeriesDocument | undefined, id: PaneId): string[] =>
      series === undefined
        ? []
        : outwards(series.images.length, this.panes.get(id)?.index ?? 0).map((k) =>
            imageIdOf(series.images[k] as SeriesDocument["images"][number]),
          );
    const [first, second] = [ids(ct, "ct"), ids(spect, "spect")];
    const longest = Math.max(first.length, second.length);
    const order = Array.from({ length: longest }, (_, k) => [first[k], second[k]])
      .flat()
      .filter((id) => id !== undefined);
    return this.#loader.loadAll(order, (done) => {
      if (this.#closed) return;
      this.#events.onStatus(done < order.length ? `Images ${done} of ${order.length}` : "");
      if (this.fusionReason !== null) return;
      for (const id of Object.keys(FUSED))
        this.panes.get(id as PaneId)?.say(`Images ${done} of ${order.length}`, "loading");
    });
  }

  async #openFused(failed: readonly string[]): Promise<void> {
    const [ct, spect] = [this.#series.get("CT"), this.#series.get("SPECT")];
    if (this.#closed || this.fusionReason !== null || ct === undefined || spect === undefined) return;
    const problem =
      failed.length > 0
        ? `Fusion is off: ${failed.length} of the images ${failed.length === 1 ? "is" : "are"} missing.`
        : await this.#volumesProblem(ct, spect);
    if (this.#closed) return;
    for (const [id, plane] of Object.entries(FUSED)) {
      const pane = this.panes.get(id as PaneId);
      const source = problem === null ? fusedSource(ct, plane) : null;
      if (pane === undefined) continue;
      if (source === null) pane.say(problem ?? "Fusion is off: the CT has no geometry.", "error");
      else
        await pane.open(
          source,
          this.#indexAtFocus(
            source.planes.map((p) => p.position),
            source.normal,
          ),
        );
    }
  }

  #indexAtFocus(positions: Vec3[], normal: Vec3 | null): number {
    return normal === null ? 0 : nearestSlice(positions, normal, this.focus);
  }

  async #volumesProblem(ct: SeriesDocument, spect: SeriesDocument): Promise<string | null> {
    try {
      await buildVolumes(ct, spect);
      return null;
    } catch {
      return "Fusion is off: the browser has not enough memory for it.";
    }
  }

  #resized(): void {
    this.engine.rendering.resize(true, true);
    for (const pane of this.panes.values()) pane.resized();
  }
}
