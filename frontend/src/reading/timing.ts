import type { TimingEvent } from "../api/types.ts";

export interface TimingPorts {
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  now: () => number;
  uuid: () => string;
}

const IDLE_MS = 60_000;
const SCROLL_MS = 5000;
/** The most that one request may carry. */
const MOST = 500;
const SILENT_MS = 15_000;
/** Refusals that another sending would meet again; all else, as of one who must sign in, is sent again. */
const REFUSED = new Set([400, 404, 413, 422, 423]);

export class Timing {
  readonly pageLoad: string;
  readonly #ports: TimingPorts;
  readonly #url: string;
  readonly #csrf: string;
  readonly #start: number;
  #seq = 0;
  #waiting: TimingEvent[] = [];
  #lastInput: number;
  #isIdle = false;
  #hadInput = false;
  #sending: Promise<unknown> = Promise.resolve();
  #scrolls = new Map<string, number>();
  #scrollSince: number;

  constructor(ports: TimingPorts, url: string, csrf: string) {
    this.#ports = ports;
    this.#url = url;
    this.#csrf = csrf;
    this.pageLoad = ports.uuid();
    this.#start = ports.now();
    this.#lastInput = this.#start;
    this.#scrollSince = this.#start;
  }

  record(kind: string, detail: TimingEvent["detail"] = {}): void {
    const t_ms = Math.round(this.#ports.now() - this.#start);
    this.#waiting.push({ seq: this.#seq, t_ms, kind, detail });
    this.#seq += 1;
  }

  /** Any key or pointer: the first one counts, and it ends an idle spell. */
  input(): void {
    if (!this.#hadInput) this.record("first_input");
    this.#hadInput = true;
    if (this.#isIdle) this.record("active");
    this.#isIdle = false;
    this.#lastInput = this.#ports.now();
  }

  scrolled(pane: string): void {
    this.#scrolls.set(pane, (this.#scrolls.get(pane) ?? 0) + 1);
  }

  /** Called about once a second: idle after a minute without input, scroll counts every five seconds. */
  tick(): void {
    const now = this.#ports.now();
    if (!this.#isIdle && now - this.#lastInput >= IDLE_MS) {
      this.#isIdle = true;
      this.record("idle");
    }
    if (now - this.#scrollSince >= SCROLL_MS) this.#countScrolls(now);
  }

  /** Sends what waits, after what is being sent; what the server did not take is sent again with the next batch.
   *
   * On leaving (`keepalive`) nothing is waited for.
   */
  async flush(keepalive = false): Promise<void> {
    this.#countScrolls(this.#ports.now());
    const before = this.#sending;
    const sent = keepalive ? this.#sendAll(true) : before.then(() => this.#sendAll(false));
    this.#sending = Promise.all([before, sent]);
    await this.#sending;
  }

  async #sendAll(keepalive: boolean): Promise<void> {
    while (this.#waiting.length > 0) {
      const events = this.#waiting.splice(0, MOST);
      if (await this.#isTaken(events, keepalive)) continue;
      this.#waiting = [...events, ...this.#waiting];
      return;
    }
  }

  #isTaken(events: TimingEvent[], keepalive: boolean): Promise<boolean> {
    return this.#ports
      .fetch(this.#url, {
        method: "POST",
        keepalive,
        credentials: "same-origin",
        signal: AbortSignal.timeout(SILENT_MS),
        headers: { "Content-Type": "application/json", "X-CSRFToken": this.#csrf },
        body: JSON.stringify({ page_load: this.pageLoad, events }),
      })
      .then((response) => response.ok || REFUSED.has(response.status))
      .catch(() => false);
  }

  #countScrolls(now: number): void {
    this.#scrollSince = now;
    if (this.#scrolls.size === 0) return;
    this.record("scroll", Object.fromEntries(this.#scrolls));
    this.#scrolls = new Map();
  }
}
