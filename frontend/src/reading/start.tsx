import { render } from "preact";
import { readCaseDocument } from "../api/validate.ts";
import { sendSigned } from "../ui/csrf.ts";
import { hasWebGl2 } from "../viewer/engine.ts";
import { App } from "./app.tsx";
import { Desk, type DeskPorts } from "./desk.ts";
import { errorFacts } from "./error_facts.ts";
import { openLocalDrafts } from "./local_drafts.ts";

let current: Desk | null = null;

function refuse(host: HTMLElement, reason: string): void {
  host.dataset.desk = "refused";
  host.replaceChildren();
  render(
    <main class="refusal">
      <h1>This case cannot be opened</h1>
      <p role="alert">{reason}</p>
      <p>
        <a href="?view=pictures">Read it with still pictures</a> · <a href="/reading/">Back to your list</a>
      </p>
    </main>,
    host,
  );
}

async function open(host: HTMLElement, raw: unknown, ports: DeskPorts): Promise<void> {
  const document = readCaseDocument(raw);
  if ("reason" in document) return refuse(host, document.reason);
  const { position, count } = document.value.case;
  window.document.title = `Case ${position} of ${count} – Reading room`;
  const desk = new Desk(document.value, ports);
  current = desk;
  await desk.recover();
  render(<App desk={desk} key={desk.case.code} />, host);
}

/** The next case opens in the same page, after everything of the last one is gone. */
async function openNext(host: HTMLElement, url: string, ports: DeskPorts): Promise<void> {
  const closed = current?.close();
  current = null;
  render(null, host);
  delete host.dataset.desk;
  await closed;
  const response = await sendSigned(`${url}document`, { credentials: "same-origin" }).catch(() => null);
  const raw = response?.status === 200 ? await response.json().catch(() => null) : null;
  if (raw === null) return window.location.assign(url);
  window.history.pushState(null, "", url);
  await open(host, raw, ports);
}

function listen(): void {
  const input = (): void => current?.timing.input();
  window.addEventListener("pointerdown", input, true);
  window.addEventListener("keydown", input, true);
  window.addEventListener("online", () => {
    current?.store.set({ isOnline: true });
    current?.timing.record("online");
    current?.autosave.retryNow();
  });
  window.addEventListener("offline", () => {
    current?.store.set({ isOnline: false });
    current?.timing.record("offline");
  });
  window.addEventListener("beforeunload", (event) => {
    if (current?.autosave.isUnsaved) event.preventDefault();
  });
  window.addEventListener("pagehide", () => void current?.timing.flush(true));
  window.addEventListener("popstate", () => window.location.reload());
  document.addEventListener("visibilitychange", () => {
    current?.timing.record(document.visibilityState === "hidden" ? "hidden" : "visible");
    if (document.visibilityState !== "hidden") return current?.autosave.retryNow();
    current?.autosave.saveNow();
    void current?.timing.flush(true);
  });
  const oops = (event: ErrorEvent | PromiseRejectionEvent): void => {
    current?.timing.record("script_error", errorFacts(event));
    current?.store.set({ alert: "Something went wrong on this page; your work is kept." });
  };
  window.addEventListener("error", oops);
  window.addEventListener("unhandledrejection", oops);
  window.setInterval(() => current?.timing.tick(), 1000);
}

/** Opens the case embedded in the page, or says why it cannot be opened. */
export async function startReadingRoom(host: HTMLElement | null, source: HTMLElement | null): Promise<void> {
  if (host === null || source === null) return;
  if (!hasWebGl2()) return refuse(host, "This browser offers no WebGL 2, which the image panes need.");
  const ports: DeskPorts = {
    fetch: sendSigned,
    drafts: openLocalDrafts(window.indexedDB),
    leave: (url) => window.location.assign(url),
    openNext: (url) => void openNext(host, url, ports),
  };
  listen();
  const parsed: unknown = JSON.parse(source.textContent ?? "null");
  source.remove();
  host.replaceChildren();
  await open(host, parsed, ports);
}
