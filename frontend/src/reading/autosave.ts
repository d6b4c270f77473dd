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

export interface SaveEvents {
  onStatus: (status: SaveStatus) => void;
  onSaved: (answer: SaveAnswer) => void;
}

export const QUIET_MS = 800;
export const LATEST_MS = 5000;
const BACK_OFF_S = [1, 2, 4, 8, 15, 30];
const NOT_NOW = new Set([429, 502, 503, 504]);
const UNDER_WAY = new Set<SaveStatus["kind"]>(["saving", "retrying"]);
const FINAL = new Set<SaveStatus["kind"]>(["conflict", "readonly", "gone"]);

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

  /** Sends at once what is unsaved; while a request is out, the change waits for its answer. */
  saveNow(): void {
    this.#clear("quiet");
    this.#clear("latest");
    if (this.isStopped || this.#inFlight || !this.#dirty || this.#held !== null) return;
    this.#dirty = false;
    void this.#begin();
  }

  /** Saves and waits, through every other try, until everything is acknowledged; false if saving stopped. */
  async settle(): Promise<boolean> {
    this.saveNow();
    while (this.isUnsaved && UNDER_WAY.has(this.status.kind)) {
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
    if (response.status === 200) return this.#saved(body as SaveAnswer);
    if (response.status === 401) return { kind: "signed-out" };
    const fields = body as Partial<{
      version: number;
      document: DraftDocument;
      field: string;
      detail: string;
      state: string;
    }>;
    if (response.status === 409 && fields.document !== undefined && fields.version !== undefined) {
      return { kind: "conflict", version: fields.version, document: fields.document };
    }
    if (response.status === 423) return { kind: "readonly", state: fields.state ?? "locked" };
    if (response.status === 404 || response.status === 403) return { kind: "gone" };
    this.#held = null;
    const detail = fields.detail ?? `status ${response.status}`;
    return { kind: "refused", field: fields.field ?? "", detail };
  }

  async #saved(answer: SaveAnswer): Promise<SaveStatus> {
    this.version = answer.version;
    this.#held = null;
    this.#attempt = 0;
    await this.#ports.drop().catch(() => undefined);
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
