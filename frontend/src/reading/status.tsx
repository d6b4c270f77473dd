import { useEffect, useState } from "preact/hooks";
import { useStore } from "../ui/store.ts";
import type { SaveStatus } from "./autosave.ts";
import type { Desk } from "./desk.ts";

const clock = (iso: string): string =>
  new Date(iso).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });

/** What the status region says about saving, in words. */
export function saveText(status: SaveStatus): string {
  switch (status.kind) {
    case "saved":
      return status.at === null ? "No changes yet" : `Saved ${clock(status.at)}`;
    case "saving":
      return "Saving …";
    case "retrying":
      return `Not saved – retrying in ${Math.ceil(status.seconds)} s`;
    case "conflict":
      return "Conflict: saved elsewhere meanwhile";
    case "refused":
      return "Not saved: the server refused the draft";
    case "signed-out":
      return "Not saved: you are signed out";
    case "readonly":
      return "Read-only";
    case "gone":
      return "This case is closed to you";
  }
}

const SHORT: Record<SaveStatus["kind"], string> = {
  saved: "saved",
  saving: "saving",
  retrying: "retrying",
  conflict: "conflict",
  refused: "retrying",
  "signed-out": "retrying",
  readonly: "readonly",
  gone: "readonly",
};

/** Counts the seconds to the next try down. */
function useCountdown(status: SaveStatus): SaveStatus {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (status.kind !== "retrying") return;
    setLeft(status.seconds);
    const timer = setInterval(() => setLeft((seconds) => Math.max(0, seconds - 1)), 1000);
    return () => clearInterval(timer);
  }, [status]);
  return status.kind === "retrying" ? { ...status, seconds: left } : status;
}

export function Status({ desk }: { desk: Desk }) {
  const { save, announcement, alert, progress, isOnline, readOnly } = useStore(desk.store);
  const shown = useCountdown(save);
  const kind = readOnly !== null && save.kind === "saved" ? "readonly" : SHORT[save.kind];
  return (
    <section class="status" aria-label="Status">
      <p class={`save ${kind}`} role="status" data-save={kind}>
        {kind === "readonly" && save.kind === "saved" ? "Read-only" : saveText(shown)}
      </p>
      {isOnline ? null : <p class="offline">Offline: your work is kept in this browser.</p>}
      {progress === "" ? null : <p>{progress}</p>}
      <p class="announcement" aria-live="polite">
        {announcement}
      </p>
      <div role="alert">{alert === "" ? null : <p class="alert">{alert}</p>}</div>
      {save.kind === "signed-out" ? (
        <p>
          <a href="/accounts/login/" target="_blank" rel="noreferrer">
            Sign in in a new tab
          </a>{" "}
          <button type="button" class="button" onClick={() => desk.autosave.retryNow()}>
            Then save again
          </button>
        </p>
      ) : null}
    </section>
  );
}
