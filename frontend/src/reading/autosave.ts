import type { DraftDocument, SaveAnswer } from "../api/types.ts";

/** What the desk needs from the world to save; given from outside so that tests can play the world. */
export interface SavePorts {
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  setTimer: (run: () => void, ms: number) => number;
  clearTimer: (timer: number) => void;
  random: () => number;
  uuid: () => string;
  keep: (copy: LocalCopy) => Promise<void>;
  drop: () => Promise<void>;
}
export interface LocalCopy {
  key: string;
  base_version: number;
  document: DraftDocument;
  /** What has changed since, while this document still waits for its answer. */
  later?: DraftDocument;
}
export type SaveStatus =
  | { kind: "saved"; at: string | null }
  | { kind: "saving" }
  | { kind: "retrying"; seconds: number }
  | { kind: "conflict"; version: number; document: DraftDocument }
  | { kind: "refused"; field: string; detail: string }
  | { kind: "signed-out" }
  | { kind: "readonly"; state: string }
  | { kind: "gone" };

interface Refusal {
  version: number;
  document: DraftDocument | null;
  field: string;
  detail: string;
  state: string;
}

export interface SaveEvents {
  onStatus: (status: SaveStatus) => void;
  onSaved: (answer: SaveAnswer) => void;
}

export const QUIET_MS = 800;
export const LATEST_MS = 5000;
/** A connection that went silent is given up, and the same copy is sent again. */
const SILENT_MS = 30_000;
const BACK_OFF_S = [1, 2, 4, 8, 15, 30];
const NOT_NOW = new Set([429, 502, 503, 504]);
const FINAL = new Set<SaveStatus["kind"]>(["conflict", "readonly", "gone"]);

/** An answer that was cut off, or is not the portal's, acknowledges nothing. */
const isSaveAnswer = (body: unknown): body is SaveAnswer =>
  typeof body === "object" && body !== null && Number.isInteger((body as Partial<SaveAnswer>).version);

/** Saves the whole draft document: one request in flight, later changes wait and go together. */
export class Autosave {
  version: number;
  status: SaveStatus = { kind: "saved", at: null };
  readonly #ports: SavePorts;
  readonly #events: SaveEvents;
  readonly #url: string;
  readonly #csrf: string;
  readonly #document: () => DraftDocument;
  #dirty = false;
  #inFlight = false;
  #held: LocalCopy | null = null;
  #attempt = 0;
  #quiet: number | null = null;
  #latest: number | null = null;
  #retry: number | null = null;
  #waiters: (() => void)[] = [];

  constructor(
    ports: SavePorts,
    events: SaveEvents,
    at: { url: string; csrf: string; version: number },
    document: () => DraftDocument,
  ) {
    this.#ports = ports;
    this.#events = events;
    this.#url = at.url;
    this.#csrf = at.csrf;
    this.version = at.version;
    this.#document = document;
  }

  get isUnsaved(): boolean {
    return this.#dirty || this.#inFlight || this.#held !== null || this.status.kind === "refused";
  }
  get isStopped(): boolean {
    return FINAL.has(this.status.kind);
  }

  /** Something changed: save when it has been quiet for a while, at the latest five seconds later. */
  changed(): void {
    if (this.isStopped) return;
    this.#dirty = true;
    if (this.status.kind === "saved" || this.status.kind === "refused") this.#say({ kind: "saving" });
    this.#clear("quiet");
    this.#quiet = this.#ports.setTimer(() => this.saveNow(), QUIET_MS);
    this.#latest ??= this.#ports.setTimer(() => this.saveNow(), LATEST_MS);
  }

  /** Sends at once what is unsaved; while a copy waits for its answer, the change waits with it in this browser. */
  saveNow(): void {
    this.#clear("quiet");
    this.#clear("latest");
    if (this.isStopped || !this.#dirty) return;
    if (this.#held !== null) return this.#keepLater(this.#held);
    if (this.#inFlight) return;
    this.#dirty = false;
    void this.#begin();
  }

  /** Saves and waits until everything is acknowledged, where patient through every other try; false if saving stopped. */
  async settle({ isPatient = true } = {}): Promise<boolean> {
    this.saveNow();
    const waits = (): boolean =>
      this.status.kind === "saving" || (isPatient && this.status.kind === "retrying");
    while (this.isUnsaved && waits()) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
      this.saveNow();
    }
    return this.status.kind === "saved" && !this.isUnsaved;
  }

  /** A local copy whose answer was never seen goes out again under its old key. */
  replay(copy: LocalCopy): void {
    this.#held = copy;
    void this.#send(copy);
  }

  /** After `online`, or after signing in again: the same key and body at once. */
  retryNow(): void {
    if (this.#held === null || this.#inFlight || this.isStopped) return;
    this.#clear("retry");
    void this.#send(this.#held);
  }

  /** Somebody else's save stands on the server: nothing is sent before the reader has decided. */
  conflict(version: number, document: DraftDocument): void {
    this.#say({ kind: "conflict", version, document });
  }

  /** A conflict was decided: the result is a new save on the server's version. */
  resolve(version: number): void {
    this.version = version;
    this.#held = null;
    this.status = { kind: "saving" };
    this.#dirty = true;
    this.saveNow();
  }

  stop(): void {
    for (const timer of ["quiet", "latest", "retry"] as const) this.#clear(timer);
    this.#dirty = false;
    this.#held = null;
  }

  async #begin(): Promise<void> {
    const copy = { key: this.#ports.uuid(), base_version: this.version, document: this.#document() };
    this.#held = copy;
    this.#say({ kind: "saving" });
    await this.#ports.keep(copy).catch(() => undefined);
    await this.#send(copy);
  }

  #keepLater(held: LocalCopy): void {
    void this.#ports.keep({ ...held, later: this.#document() }).catch(() => undefined);
  }

  async #send(copy: LocalCopy): Promise<void> {
    if (this.#inFlight) return;
    this.#inFlight = true;
    this.#say({ kind: "saving" });
    const status = await this.#outcome(copy, await this.#put(copy));
    this.#inFlight = false;
    const isDone = status?.kind === "saved" || status?.kind === "refused";
    if (isDone && this.#dirty) this.saveNow();
    else if (status !== null) this.#say(status);
    this.#wake();
  }

  /** What an answer means for the copy that was sent; null if another copy has taken its place. */
  async #outcome(copy: LocalCopy, response: Response | null): Promise<SaveStatus | null> {
    if (this.#held !== copy) return null;
    if (response === null || NOT_NOW.has(response.status) || response.status >= 500)
      return this.#later(response);
    return this.#answered(response);
  }

  async #put(copy: LocalCopy): Promise<Response | null> {
    try {
      return await this.#ports.fetch(this.#url, {
        method: "PUT",
        credentials: "same-origin",
        signal: AbortSignal.timeout(SILENT_MS),
        headers: {
          "Content-Type": "application/json",
          "If-Match": `"${copy.base_version}"`,
          "Idempotency-Key": copy.key,
          "X-CSRFToken": this.#csrf,
        },
        body: JSON.stringify(copy.document),
      });
    } catch {
      return null;
    }
  }

  async #answered(response: Response): Promise<SaveStatus> {
    const body: unknown = await response.json().catch(() => ({}));
    if (response.status === 200) return isSaveAnswer(body) ? this.#saved(body) : this.#later(null);
    // 403 is a token that no longer holds: signing in gives another
    if (response.status === 401 || response.status === 403) return { kind: "signed-out" };
    const fields = body as Partial<Refusal>;
    if (response.status === 409 && fields.document !== undefined && fields.version !== undefined)
      return this.#overtaken(fields.version, fields.document);
    if (response.status === 423) return { kind: "readonly", state: fields.state ?? "locked" };
    if (response.status === 404) return { kind: "gone" };
    this.#held = null;
    const detail = fields.detail ?? `status ${response.status}`;
    return { kind: "refused", field: fields.field ?? "", detail };
  }

  /** Another save stands on the server; if it holds none any more, as after a restore, all there is goes out anew. */
  #overtaken(version: number, document: DraftDocument | null): SaveStatus {
    if (document !== null) {
      if (this.#dirty && this.#held !== null) this.#keepLater(this.#held);
      return { kind: "conflict", version, document };
    }
    this.version = version;
    this.#held = null;
    this.#dirty = true;
    return { kind: "saved", at: null };
  }

  async #saved(answer: SaveAnswer): Promise<SaveStatus> {
    this.version = answer.version;
    this.#held = null;
    this.#attempt = 0;
    // what has changed meanwhile is kept in the place of this copy, when it is sent
    if (!this.#dirty) await this.#ports.drop().catch(() => undefined);
    this.#events.onSaved(answer);
    return { kind: "saved", at: answer.saved_at };
  }

  #later(response: Response | null): SaveStatus {
    const asked = Number(response?.headers.get("Retry-After"));
    const step = BACK_OFF_S[Math.min(this.#attempt, BACK_OFF_S.length - 1)] as number;
    const seconds = asked > 0 ? asked : step * (0.8 + 0.4 * this.#ports.random());
    this.#attempt += 1;
    this.#clear("retry");
    this.#retry = this.#ports.setTimer(() => this.retryNow(), seconds * 1000);
    return { kind: "retrying", seconds };
  }

  #say(status: SaveStatus): void {
    this.status = status;
    this.#events.onStatus(status);
    if (this.isStopped) this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  #clear(timer: "quiet" | "latest" | "retry"): void {
    const handles = { quiet: this.#quiet, latest: this.#latest, retry: this.#retry };
    const handle = handles[timer];
    if (handle !== null) this.#ports.clearTimer(handle);
    if (timer === "quiet") this.#quiet = null;
    if (timer === "latest") this.#latest = null;
    if (timer === "retry") this.#retry = null;
  }
}
