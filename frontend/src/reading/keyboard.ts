import { COMMANDS } from "./commands.ts";
import type { Desk } from "./desk.ts";
import { assignKeys, commandOf, type Scope } from "./keymap.ts";

const TEXT_TYPES = new Set(["text", "number", "search", "email", "password", "range"]);

const isTextField = (target: EventTarget | null): boolean =>
  target instanceof HTMLTextAreaElement ||
  target instanceof HTMLSelectElement ||
  (target instanceof HTMLInputElement && TEXT_TYPES.has(target.type));

/** Keys that move a radio group or press a button belong to the browser while a control has the focus. */
const CONTROL_KEYS = /^(Arrow|Enter$| $|Home$|End$|Page)/;

function scopesFor(desk: Desk, target: EventTarget | null): Scope[] {
  const inPane = target instanceof Element && target.closest("[data-pane]") !== null;
  const onPage = target === document.body;
  if (desk.state.mode.kind !== "view") return ["outline", "pane", "desk"];
  return inPane || onPage ? ["pane", "form", "desk"] : ["form", "pane", "desk"];
}

/** Connects the keyboard to the commands; returns the way to disconnect. */
export function attachKeyboard(desk: Desk): () => void {
  const table = assignKeys(desk.case.preferences.keys);
  const abort = new AbortController();
  const onKey = (event: KeyboardEvent): void => {
    if (desk.state.dialog !== null && !(event.key === "?" && desk.state.dialog === "help")) return;
    if (isTextField(event.target) && !(event.ctrlKey || event.metaKey)) return;
    const control =
      event.target instanceof Element && event.target.closest("button, input, a, summary") !== null;
    if (control && CONTROL_KEYS.test(event.key) && !event.ctrlKey) return;
    const command = commandOf(event, scopesFor(desk, event.target), table, desk.case.preferences.single_keys);
    const run = command === null ? undefined : COMMANDS[command];
    if (run === undefined || (isTextField(event.target) && command !== "save" && command !== "submit"))
      return;
    event.preventDefault();
    run(desk);
  };
  document.addEventListener("keydown", onKey, { signal: abort.signal });
  return () => abort.abort();
}
