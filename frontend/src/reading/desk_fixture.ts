import { IDBFactory } from "fake-indexeddb";
import { vi } from "vitest";
import { caseFixture } from "../api/case_fixture.ts";
import type { CaseDocument, DraftDocument, TimingEvent } from "../api/types.ts";
import { installPage, type PageElement, pointerEvent } from "../viewer/dom_fixture.ts";
import type { Pane, PaneId } from "../viewer/pane.ts";
import { resetToolkit } from "../viewer/toolkit_fixture.ts";
import { COMMANDS } from "./commands.ts";
import { Desk } from "./desk.ts";
import { type LocalDrafts, openLocalDrafts } from "./local_drafts.ts";

interface Reply {
  status: number;
  body?: object;
}
interface Request {
  method: string;
  url: string;
  body: unknown;
  headers: Headers;
}

/** A desk with its real parts, over a played toolkit, a played page and a server that answers from a list. */
export class DeskWorld {
  readonly desk: Desk;
  readonly drafts: LocalDrafts;
  readonly requests: Request[] = [];
  readonly left: string[] = [];
  readonly opened: string[] = [];
  /** Replies by the last part of the address, in turn; what is not listed succeeds. */
  readonly replies = new Map<string, (Reply | "broken")[]>();
  readonly host: HTMLElement;

  constructor(change: (document: CaseDocument) => void = () => undefined, drafts?: LocalDrafts) {
    const document = caseFixture();
    change(document);
    this.drafts = drafts ?? openLocalDrafts(new IDBFactory());
    this.host = globalThis.document.createElement("main");
    this.desk = new Desk(document, {
      fetch: (url, init) => this.#answer(url, init),
      drafts: this.drafts,
      leave: (url) => this.left.push(url),
      openNext: (url) => this.opened.push(url),
    });
  }

  async open(): Promise<this> {
    void this.desk.show(this.host);
    await this.pass(50);
    return this;
  }

  /** Lets time pass, and lets what waits for the browser's own tasks get its turn. */
  async pass(ms = 0): Promise<void> {
    for (let turn = 0; turn < 6; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(ms);
    for (let turn = 0; turn < 6; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  async run(...commands: string[]): Promise<void> {
    for (const command of commands) {
      const known = COMMANDS[command];
      if (known === undefined) throw new Error(`there is no command ${command}`);
      known(this.desk);
      await this.pass(1);
    }
  }

  pane(id: PaneId): Pane {
    const pane = this.desk.pane(id);
    if (pane === null) throw new Error(`there is no pane ${id}`);
    return pane;
  }

  point(id: PaneId, type: string, x: number, y: number, button = 0): void {
    const root = this.pane(id).dom.root as unknown as PageElement;
    root.dispatchEvent(pointerEvent(type, x, y, { button }));
  }

  /** Presses, goes through the places and releases at the last. */
  stroke(id: PaneId, places: readonly [number, number][]): void {
    const [first, last] = [places[0], places.at(-1)];
    if (first === undefined || last === undefined) return;
    this.point(id, "pointerdown", ...first);
    for (const place of places.slice(1)) this.point(id, "pointermove", ...place);
    this.point(id, "pointerup", ...last);
  }

  saves(): DraftDocument[] {
    const puts = this.requests.filter(({ method, url }) => method === "PUT" && url.endsWith("draft"));
    return puts.map(({ body }) => body as DraftDocument);
  }

  async events(): Promise<TimingEvent[]> {
    await this.desk.timing.flush();
    const posts = this.requests.filter(({ url }) => url.endsWith("events"));
    return posts.flatMap(({ body }) => (body as { events: TimingEvent[] }).events);
  }

  async #answer(url: string, init: RequestInit): Promise<Response> {
    const body: unknown = init.body == null ? null : JSON.parse(String(init.body));
    this.requests.push({ method: init.method ?? "GET", url, body, headers: new Headers(init.headers) });
    const reply = this.replies.get(url.split("/").at(-1) ?? "")?.shift() ?? { status: 200 };
    if (reply === "broken") throw new TypeError("network");
    const version = Number(new Headers(init.headers).get("If-Match")?.replaceAll('"', "") ?? 0) + 1;
    const problems = { answers: {}, outlines: { CT: [], SPECT: [] } };
    const saved = { version, saved_at: "2026-01-01T10:42:07Z", problems };
    return new Response(JSON.stringify(reply.body ?? saved), { status: reply.status });
  }
}

/** Before each test: a new page, a new toolkit, and a clock that stands still until it is turned. */
export function startWorld(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
  installPage();
  resetToolkit();
}

export const asOutlineCase = (document: CaseDocument): void => {
  document.case.task = "outline";
};

/** The places of a circle on a pane, closed, in CSS pixels. */
export const circleAt = (x: number, y: number, radius: number, count = 24): [number, number][] =>
  Array.from({ length: count + 1 }, (_, k) => {
    const angle = (2 * Math.PI * (k % count)) / count;
    return [Math.round(x + radius * Math.cos(angle)), Math.round(y + radius * Math.sin(angle))];
  });
