import type {
  Answer,
  Case,
  CaseDocument,
  DraftDocument,
  LayoutName,
  Preferences,
  SavedDraft,
  SeriesDocument,
  Slot,
  SubmitAnswer,
  Vec3,
} from "../api/types.ts";
import { toSend } from "../roi/editing.ts";
import { type BoundImage, imagesOf, normalOf, outlineProblems } from "../roi/geometry.ts";
import { nearestSlice } from "../roi/link.ts";
import { openStore, remember, replaceAll } from "../roi/outline_store.ts";
import { createStore, type Store } from "../ui/store.ts";
import type { Pane, PaneId } from "../viewer/pane.ts";
import { Viewer } from "../viewer/viewer.ts";
import { Autosave, type SaveStatus } from "./autosave.ts";
import { type DeskState, initialState, NO_PROBLEMS } from "./desk_state.ts";
import { draftKey, type LocalDrafts } from "./local_drafts.ts";
import { Outlining } from "./outlining.ts";
import { withAnswer } from "./questions.ts";
import { recover } from "./recovery.ts";
import { SummaryOpening } from "./summary_opening.ts";
import { Timing } from "./timing.ts";

export interface DeskPorts {
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  drafts: LocalDrafts;
  leave: (url: string) => void;
  openNext: (url: string) => void;
}
/** Saves that must not wait for the quiet time. */
type Urgency = "soon" | "now";

const ANNOUNCE_MS = 500;
const SILENT_MS = 60_000;
const isSubmitAnswer = (body: unknown): body is SubmitAnswer =>
  typeof (body as Partial<SubmitAnswer> | null)?.home === "string";
const isSlot = (role: string): role is Slot => role === "CT" || role === "SPECT";

/** One open case: what is shown, what was answered and drawn, and that none of it is lost. */
export class Desk {
  readonly document: CaseDocument;
  readonly store: Store<DeskState>;
  readonly timing: Timing;
  readonly images: Record<Slot, BoundImage[]>;
  readonly outlining: Outlining;
  readonly autosave: Autosave;
  readonly #ports: DeskPorts;
  viewer: Viewer | null = null;
  #closing: Promise<void> | null = null;
  #submitting: Promise<void> | null = null;
  #failedLesionSlice = new Set<Slot>();
  #replayed = false;
  readonly #summary = new SummaryOpening(this);
  #announcing = 0;
  readonly #shown = new Map<PaneId, string>();

  constructor(document: CaseDocument, ports: DeskPorts) {
    this.document = document;
    this.#ports = ports;
    const { case: open } = document;
    const outlines = open.draft.document?.outlines ?? { CT: null, SPECT: null };
    this.store = createStore(initialState(document, openStore(outlines)));
    this.images = { CT: imagesOfRole(document, "CT"), SPECT: imagesOfRole(document, "SPECT") };
    this.timing = new Timing(
      { fetch: ports.fetch, now: () => performance.now(), uuid: () => crypto.randomUUID() },
      open.urls.events,
      open.csrf_token,
    );
    const key = draftKey(open.owner, open.code);
    this.autosave = new Autosave(
      {
        fetch: ports.fetch,
        setTimer: (run, ms) => window.setTimeout(run, ms),
        clearTimer: (timer) => window.clearTimeout(timer),
        random: Math.random,
        uuid: () => crypto.randomUUID(),
        keep: (copy) => ports.drafts.put(key, copy, Date.now()),
        drop: () => ports.drafts.remove(key),
      },
      {
        onStatus: (status) => this.#saveStatus(status),
        onSaved: ({ problems }) => this.store.set({ problems }),
      },
      { url: open.urls.draft, csrf: open.csrf_token, version: open.draft.version },
      () => this.draft(),
    );
    this.outlining = new Outlining(this);
  }

  get case(): Case {
    return this.document.case;
  }
  get state(): DeskState {
    return this.store.get();
  }
  get activePane(): Pane | null {
    return this.viewer?.panes.get(this.state.active) ?? null;
  }
  get isEditable(): boolean {
    return this.state.readOnly === null && !this.autosave.isStopped;
  }

  pane(id: PaneId): Pane | null {
    return this.viewer?.panes.get(id) ?? null;
  }

  /** Builds the panes into `host` and loads the case; resolves when everything is shown. */
  async show(host: HTMLElement): Promise<void> {
    this.viewer = new Viewer(this.document, host, {
      onSlice: (pane, byUser) => this.#sliceShown(pane, byUser),
      onState: () => this.outlining.redraw(),
      onLook: () => this.#lookChanged(),
      onFocus: () => this.outlining.redraw(),
      onImageError: (pane, index) => this.#imageFailed(pane, index),
      onNativeReady: () => this.#nativeReady(),
      onAllReady: () => this.timing.record("desk_ready"),
      onBackendChanged: (reason) => {
        this.timing.record("backend_changed", { reason });
        this.say("The pictures are now drawn without the graphics card.");
      },
      onStatus: (progress) => this.store.set({ progress }),
    });
    this.outlining.attach(this.viewer);
    void this.rememberOutlines();
    await this.viewer.open();
  }

  async recover(): Promise<void> {
    this.#replayed = await recover(this, this.#ports.drafts);
  }

  say(announcement: string): void {
    this.store.set({ announcement });
  }

  answer(id: string, value: Answer): void {
    if (!this.isEditable) return;
    const { answers, cleared } = withAnswer(this.state.answers, id, value);
    this.store.set({ answers });
    if (cleared) this.say("The call changed, so the confidence was cleared.");
    this.timing.record("answer", { question: id });
    this.changed(id === "call" ? "now" : "soon");
  }

  activate(id: PaneId): void {
    if (this.state.active === id) return;
    this.store.set({ active: id });
    this.outlining.paneChanged();
  }

  focusPane(id: PaneId): void {
    this.activate(id);
    this.pane(id)?.dom.root.focus();
  }

  setLayout(layout: LayoutName): void {
    this.store.set({ layout });
    this.timing.record("layout", { layout });
    this.changed("now");
  }

  changed(urgency: Urgency = "soon"): void {
    if (this.state.readOnly !== null) return;
    this.autosave.changed();
    if (urgency === "now") this.autosave.saveNow();
  }

  /** The whole draft as sent. */
  draft(): DraftDocument {
    const { answers, outlines } = this.state;
    const looks = [...(this.viewer?.panes.values() ?? [])].map((pane) => {
      const image = pane.plane?.image;
      const slice = image == null ? null : `${image.sop_instance_uid}|${image.frame}`;
      return [pane.id, { ...pane.look, slice }] as const;
    });
    return {
      answers,
      outlines: { CT: toSend(outlines.present.CT), SPECT: toSend(outlines.present.SPECT) },
      looks: Object.fromEntries(looks),
      focus: this.viewer?.focus ?? null,
    };
  }

  /** Faults of the outlines as the browser sees them; the server's word is in `problems`. */
  outlineFaults(slot: Slot): string[] {
    const outline = this.state.outlines.present[slot];
    return outline === null ? [] : outlineProblems(this.images, slot, outline);
  }

  async openSummary(): Promise<void> {
    if (this.isEditable) await this.#summary.ask();
  }

  get submitRefusal(): string | null {
    const { problems } = this.state;
    const faults =
      Object.keys(problems.answers).length + problems.outlines.CT.length + problems.outlines.SPECT.length;
    if (faults > 0) return "Something is missing or invalid; see the list.";
    if (this.#failedLesionSlice.size > 0 && this.state.answers.cannot_judge !== "yes") {
      return "The lesion's slice could not be shown; only “cannot be judged” can be submitted.";
    }
    return null;
  }

  /** Pressed again while the answer is out, it is the same submission. */
  submit(): Promise<void> {
    this.#submitting ??= this.#submit().finally(() => {
      this.#submitting = null;
    });
    return this.#submitting;
  }

  async #submit(): Promise<void> {
    if (this.submitRefusal !== null || this.#closing !== null) return;
    this.timing.record("submit_pressed");
    if (!(await this.autosave.settle({ isPatient: false })))
      return this.store.set({ alert: "Not submitted: the draft is not saved yet." });
    await this.timing.flush();
    const response = await this.#post(this.case.urls.submit, { version: this.autosave.version });
    if (response === null)
      return this.store.set({ alert: "The server did not answer; the read is not submitted yet." });
    const body: unknown = await response.json().catch(() => ({}));
    if (response.status === 200 && isSubmitAnswer(body)) return this.#submitted(body);
    const { detail, problems } = body as Partial<{ detail: string; problems: DeskState["problems"] }>;
    this.store.set({
      alert: `Not submitted: ${detail ?? `status ${response.status}`}`,
      problems: { ...NO_PROBLEMS, ...problems },
    });
  }

  async reopen(reason_code: string, reason: string): Promise<void> {
    const response = await this.#post(this.case.urls.reopen, { reason_code, reason });
    if (response?.status === 200) this.#ports.openNext(this.case.urls.document.replace(/document$/, ""));
    else this.store.set({ alert: "The read cannot be reopened." });
  }

  /** Keeps the reader's settings on the server; what the browser shows follows at once where it can. */
  async keepPreferences(preferences: Preferences): Promise<void> {
    this.store.set({ preferences });
    const response = await this.#send("PUT", this.case.urls.preferences, preferences);
    this.say(
      response?.ok === true ? "Settings saved." : "The settings could not be saved; they hold for this case.",
    );
  }

  /** Undo goes on through the versions that the server keeps, after a reload or on another machine. */
  async rememberOutlines(): Promise<void> {
    const { task, draft, urls } = this.case;
    if (task !== "outline" || draft.document === null || this.state.readOnly !== null) return;
    const response = await this.#ports.fetch(urls.draft, { credentials: "same-origin" }).catch(() => null);
    if (response?.status !== 200) return;
    const { outlines } = (await response.json()) as SavedDraft;
    this.store.set({ outlines: remember(this.state.outlines, draft.document.outlines, outlines) });
  }

  /** Another draft takes the place of this one, undoable. */
  takeOver({ answers, outlines }: DraftDocument): void {
    this.store.set({ answers, outlines: replaceAll(this.state.outlines, outlines) });
    this.outlining.redraw();
  }

  /** Decides a conflict: the chosen draft becomes a new save on the server's version. */
  resolveConflict(chosen: DraftDocument, version: number): void {
    this.takeOver(chosen);
    this.store.set({ dialog: null });
    this.autosave.resolve(version);
  }

  /** Takes everything of the case down; afterwards nothing of it is left in the page. */
  close(): Promise<void> {
    this.#closing ??= this.#takeDown();
    return this.#closing;
  }

  async #takeDown(): Promise<void> {
    window.clearTimeout(this.#announcing);
    this.autosave.stop();
    this.outlining.detach();
    const { viewer } = this;
    this.viewer = null;
    await viewer?.dispose();
  }

  #post(url: string, body: object): Promise<Response | null> {
    return this.#send("POST", url, body);
  }

  async #send(method: "POST" | "PUT", url: string, body: object): Promise<Response | null> {
    return this.#ports
      .fetch(url, {
        method,
        credentials: "same-origin",
        signal: AbortSignal.timeout(SILENT_MS),
        headers: { "Content-Type": "application/json", "X-CSRFToken": this.case.csrf_token },
        body: JSON.stringify(body),
      })
      .catch(() => null);
  }

  #submitted({ next, home }: SubmitAnswer): void {
    void this.#ports.drafts.remove(draftKey(this.case.owner, this.case.code)).catch(() => undefined);
    void this.close();
    if (next === null) this.#ports.leave(home);
    else this.#ports.openNext(next);
  }

  #saveStatus(save: SaveStatus): void {
    this.store.set({ save });
    if (save.kind === "saved") void this.timing.flush();
    if (save.kind === "retrying") this.#summary.late();
    if (save.kind === "conflict") this.store.set({ dialog: "conflict" });
    if (save.kind === "readonly") this.#becomeReadOnly(`This read cannot change any more (${save.state}).`);
    if (save.kind === "gone") {
      void this.close();
      this.#becomeReadOnly("This case is not, or no longer, on your list.");
    }
    if (save.kind === "refused")
      this.store.set({ alert: `The server refused the draft: ${save.field} ${save.detail}` });
  }

  #becomeReadOnly(readOnly: string): void {
    this.outlining.leave();
    this.store.set({ readOnly, alert: readOnly });
  }

  #nativeReady(): void {
    this.timing.record("first_image");
    document.getElementById("desk")?.setAttribute("data-desk", "ready");
    this.outlining.redraw();
    if (this.#replayed) this.say("Your unsaved work was recovered.");
  }

  #lesionSlice(slot: Slot): number {
    const images = this.images[slot];
    const first = images[0];
    if (first === undefined) return -1;
    return nearestSlice(
      images.map(({ position }) => position),
      normalOf(first),
      this.case.lesion.world,
    );
  }

  #sliceShown(pane: Pane, byUser: boolean): void {
    const image = `${pane.plane?.image?.sop_instance_uid}|${pane.plane?.image?.frame}`;
    if (this.#shown.get(pane.id) !== image) this.outlining.sliceChanged(pane);
    this.#shown.set(pane.id, image);
    this.outlining.redraw();
    const { role } = pane.facts;
    if (isSlot(role) && pane.index === this.#lesionSlice(role)) this.#failedLesionSlice.delete(role);
    if (!byUser) return;
    this.timing.scrolled(pane.id);
    this.#saySlice(pane);
    this.changed();
  }

  /** Slices are announced at most twice a second: the last one of a burst. */
  #saySlice(pane: Pane): void {
    window.clearTimeout(this.#announcing);
    this.#announcing = window.setTimeout(
      () => this.say(`${pane.facts.title}, slice ${pane.index + 1} of ${pane.count}`),
      ANNOUNCE_MS,
    );
  }

  #lookChanged(): void {
    this.store.set({ looks: this.state.looks + 1 });
    this.changed();
  }

  #imageFailed(pane: Pane, index: number): void {
    this.timing.record("image_error", { pane: pane.id, slice: index + 1 });
    this.say(`${pane.facts.title}: slice ${index + 1} cannot be shown.`);
    const { role } = pane.facts;
    if (isSlot(role) && index === this.#lesionSlice(role)) this.#failedLesionSlice.add(role);
  }

  setFocus(point: Vec3, from: Pane | null): void {
    this.viewer?.setFocus(point, from);
    this.changed();
  }
}

function imagesOfRole(document: CaseDocument, role: Slot): BoundImage[] {
  const series: SeriesDocument | undefined = document.series.find((candidate) => candidate.role === role);
  return series === undefined ? [] : imagesOf(series);
}
