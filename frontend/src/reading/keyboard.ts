import { COMMANDS } from "./commands.ts";
import type { Desk } from "./desk.ts";
import { assignKeys, commandOf, type Scope } from "./keymap.ts";

const TEXT_TYPES = new Set(["text", "number", "search", "email", "password", "range"]);

const isTextField = (target: EventTarget | null): boolean =>
  target instanceof HTMLTextAreaElement ||
  target instanceof HTMLSelectElement ||
  (target instanceof HTMLInputElement && TEXT_TYPES.has(target.type));

/** What works even while text is typed. */
const IN_TEXT = new Set(["save", "submit"]);

/** Keys that move a radio group or press a button belong to the browser while a control has the focus. */
const CONTROL_KEYS = /^(Arrow|Enter$| $|Home$|End$|Page)/;

function scopesFor(desk: Desk, target: EventTarget | null): Scope[] {
  const inPane = target instanceof Element && target.closest("[data-pane]") !== null;
  const onPage = target === document.body;
  if (desk.state.mode.kind !== "view") return ["outline", "pane", "desk"];
  return inPane || onPage ? ["pane", "form", "desk"] : ["form", "pane", "desk"];
}

/** Whether a press belongs to the browser or to an open dialog instead of the desk. */
function isElsewhere(desk: Desk, event: KeyboardEvent): boolean {
  const { dialog } = desk.state;
  if (dialog !== null) return !(event.key === "?" && dialog === "help");
  const { target } = event;
  const isCtrl = event.ctrlKey || event.metaKey;
  if (isTextField(target) || isCtrl) return !isCtrl;
  const inControl = target instanceof Element && target.closest("button, input, a, summary") !== null;
  return inControl && CONTROL_KEYS.test(event.key);
}

/** Connects the keyboard to the commands; returns the way to disconnect. */
export function attachKeyboard(desk: Desk): () => void {
  const abort = new AbortController();
  const onKey = (event: KeyboardEvent): void => {
    if (isElsewhere(desk, event)) return;
    const { keys, single_keys } = desk.state.preferences;
    const command = commandOf(event, scopesFor(desk, event.target), assignKeys(keys), single_keys);
    const run = command === null ? undefined : COMMANDS[command];
    if (run === undefined || (isTextField(event.target) && !IN_TEXT.has(command ?? ""))) return;
    event.preventDefault();
    run(desk);
  };
  document.addEventListener("keydown", onKey, { signal: abort.signal });
  return () => abort.abort();
}
