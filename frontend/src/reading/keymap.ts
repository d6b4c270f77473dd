/** Where a key works; the innermost scope wins. */
export type Scope = "outline" | "pane" | "form" | "desk";

export interface Shortcut {
  command: string;
  scope: Scope;
  /** Typed character or key name, with the modifiers that must be held: `Ctrl+Shift+z`. */
  keys: string[];
  label: string;
}

const shortcut = (scope: Scope, command: string, keys: string, label: string): Shortcut => ({
  command,
  scope,
  keys: keys.split(" "),
  label,
});

export const SHORTCUTS: readonly Shortcut[] = [
  shortcut("desk", "help", "?", "Help: this table"),
  shortcut("desk", "escape", "Escape", "Close the topmost dialog, leave the mode"),
  shortcut("desk", "focus-pane", "v", "Focus the active pane"),
  shortcut("desk", "focus-form", "f", "Focus the form"),
  shortcut("desk", "pane-ct", "q", "CT axial"),
  shortcut("desk", "pane-spect", "w", "SPECT axial"),
  shortcut("desk", "pane-fused-axial", "e", "Fused axial"),
  shortcut("desk", "pane-fused-sagittal", "a", "Fused sagittal"),
  shortcut("desk", "pane-fused-coronal", "s", "Fused coronal"),
  shortcut("desk", "pane-whole-body", "d", "Whole body"),
  shortcut("desk", "layout-next", "t", "Next layout"),
  shortcut("desk", "layout-single", "z", "Active pane alone, and back"),
  shortcut("desk", "save", "Ctrl+s", "Save now"),
  shortcut("desk", "submit", "Ctrl+Enter", "Check and submit"),
  shortcut("form", "call-metastasis", "m", "Call: metastasis"),
  shortcut("form", "call-benign", "b", "Call: benign"),
  shortcut("form", "confidence-1", "1", "Confidence 1 (guess)"),
  shortcut("form", "confidence-2", "2", "Confidence 2"),
  shortcut("form", "confidence-3", "3", "Confidence 3"),
  shortcut("form", "confidence-4", "4", "Confidence 4"),
  shortcut("form", "confidence-5", "5", "Confidence 5 (certain)"),
  shortcut("pane", "slice-next", "ArrowUp", "Next slice: head, patient's left, back"),
  shortcut("pane", "slice-previous", "ArrowDown", "Previous slice"),
  shortcut("pane", "slice-next-5", "PageUp", "Five slices up"),
  shortcut("pane", "slice-previous-5", "PageDown", "Five slices down"),
  shortcut("pane", "slice-first", "Home", "First slice"),
  shortcut("pane", "slice-last", "End", "Last slice"),
  shortcut("pane", "lesion", "l", "Back to the lesion"),
  shortcut("pane", "link", "k", "Link on/off"),
  shortcut("pane", "crosshair", "x", "Crosshair on/off"),
  shortcut("pane", "focus-left", "Ctrl+ArrowLeft", "Move the focus point left"),
  shortcut("pane", "focus-right", "Ctrl+ArrowRight", "Move the focus point right"),
  shortcut("pane", "focus-up", "Ctrl+ArrowUp", "Move the focus point up"),
  shortcut("pane", "focus-down", "Ctrl+ArrowDown", "Move the focus point down"),
  shortcut("pane", "pan-left", "Shift+ArrowLeft", "Pan left"),
  shortcut("pane", "pan-right", "Shift+ArrowRight", "Pan right"),
  shortcut("pane", "pan-up", "Shift+ArrowUp", "Pan up"),
  shortcut("pane", "pan-down", "Shift+ArrowDown", "Pan down"),
  shortcut("pane", "zoom-in", "+ =", "Zoom in"),
  shortcut("pane", "zoom-out", "-", "Zoom out"),
  shortcut("pane", "fit", "0", "Fit the image"),
  shortcut("pane", "preset-1", "6", "CT: bone; SPECT and overlay: volume"),
  shortcut("pane", "preset-2", "7", "CT: soft tissue; SPECT and overlay: lesion"),
  shortcut("pane", "preset-3", "8", "CT: lung; SPECT and overlay: half"),
  shortcut("pane", "preset-4", "9", "CT: dense; SPECT and overlay: full"),
  shortcut("pane", "narrower", ",", "Width (SPECT: upper bound) −10 %"),
  shortcut("pane", "wider", ".", "Width (SPECT: upper bound) +10 %"),
  shortcut("pane", "centre-down", "<", "Window centre −25 HU"),
  shortcut("pane", "centre-up", ">", "Window centre +25 HU"),
  shortcut("pane", "invert", "i", "Invert grey"),
  shortcut("pane", "colour-map", "c", "Next colour map"),
  shortcut("pane", "overlay", "o", "Overlay on/off"),
  shortcut("pane", "opacity-down", "[", "Overlay opacity −0.1"),
  shortcut("pane", "opacity-up", "]", "Overlay opacity +0.1"),
  shortcut("pane", "marks", "y", "Outlines and lesion marker shown/hidden"),
  shortcut("pane", "outline-mode", "r", "Outline mode on/off"),
  shortcut("pane", "undo", "Ctrl+z", "Undo"),
  shortcut("pane", "redo", "Ctrl+Shift+z Ctrl+y", "Redo"),
  shortcut("outline", "tool-freehand", "h", "Freehand"),
  shortcut("outline", "tool-points", "p", "Points"),
  shortcut("outline", "cursor-left", "ArrowLeft", "Cursor or vertex left by half a pixel"),
  shortcut("outline", "cursor-right", "ArrowRight", "… right"),
  shortcut("outline", "cursor-up", "ArrowUp", "… up"),
  shortcut("outline", "cursor-down", "ArrowDown", "… down"),
  shortcut("outline", "cursor-left-fine", "Ctrl+ArrowLeft", "… left, fine"),
  shortcut("outline", "cursor-right-fine", "Ctrl+ArrowRight", "… right, fine"),
  shortcut("outline", "cursor-up-fine", "Ctrl+ArrowUp", "… up, fine"),
  shortcut("outline", "cursor-down-fine", "Ctrl+ArrowDown", "… down, fine"),
  shortcut("outline", "vertex-set", "Space", "Set a vertex at the cursor"),
  shortcut("outline", "vertex-back", "Backspace", "Remove the last vertex"),
  shortcut("outline", "close", "Enter", "Close the outline (3 or more vertices)"),
  shortcut("outline", "vertex-next", "n", "Select the next vertex"),
  shortcut("outline", "vertex-previous", "Shift+n", "Select the previous vertex"),
  shortcut("outline", "vertex-insert", "Insert Shift+Space", "Insert a vertex after the selected one"),
  shortcut("outline", "vertex-delete", "Delete", "Remove the selected vertex"),
  shortcut("outline", "outline-delete", "Shift+Delete", "Delete the outline"),
  shortcut("outline", "copy", "g", "Copy to the other modality, then shift it there"),
  shortcut("outline", "shift-mode", "u", "Shift mode: arrows move the whole outline"),
  shortcut("outline", "shift-slice-up", "Shift+PageUp", "Shift mode: to the next slice"),
  shortcut("outline", "shift-slice-down", "Shift+PageDown", "Shift mode: to the previous slice"),
  shortcut("outline", "ghost", "j", "The other modality's outline as a ghost"),
];

export interface KeyPress {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
}

const ARROWS: Record<string, string> = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };

const isSingle = (key: string): boolean => key.length === 1 || key === "Space";

/** Name of a press. Shift is named only with letters and with named keys: `?` and `<` already say it. */
export function pressName({ key, ctrlKey, metaKey, shiftKey, altKey }: KeyPress): string {
  const plain = key === " " ? "Space" : key.length === 1 ? key.toLowerCase() : key;
  const isLetter = /^\p{L}$/u.test(plain);
  // AltGr, which types [ and ] on most keyboards of Europe, comes as Ctrl and Alt held together
  if (ctrlKey && altKey && plain.length === 1 && !isLetter) return plain;
  const shift = shiftKey && (isLetter || plain.length > 1) ? "Shift+" : "";
  return `${ctrlKey || metaKey ? "Ctrl+" : ""}${shift}${altKey ? "Alt+" : ""}${plain}`;
}

/** The table with the user's own keys, `""` for none; a key given to two commands of one scope is refused: the default stays. */
export function assignKeys(own: Record<string, string>, table: readonly Shortcut[] = SHORTCUTS): Shortcut[] {
  const wished = table.map((row) => {
    const key = own[row.command];
    return key === undefined ? row : { ...row, keys: key === "" ? [] : [key] };
  });
  return duplicates(wished).length === 0 ? wished : [...table];
}

/** Outline keys take precedence while drawing; all others are live at the same time. */
const areTogether = (a: Scope, b: Scope): boolean => (a === "outline") === (b === "outline");

/** The user's keys with one command re-assigned, or the sentence why not. */
export function reassign(
  own: Record<string, string>,
  command: string,
  key: string,
): { own: Record<string, string> } | { refusal: string } {
  const row = SHORTCUTS.find((candidate) => candidate.command === command);
  if (row === undefined) return { refusal: "There is no such command." };
  const { [command]: _, ...rest } = own;
  const wished = row.keys.includes(key) ? rest : { ...rest, [command]: key };
  const other = assignKeys(own).find(
    (taken) => areTogether(taken.scope, row.scope) && taken.command !== command && taken.keys.includes(key),
  );
  return other === undefined ? { own: wished } : { refusal: `This key already means “${other.label}”.` };
}

/** `Ctrl+z` as printed on a keyboard. */
export function keyLabel(key: string): string {
  const parts = key.length === 1 ? [key] : key.split("+");
  return parts.map((part) => (part.length === 1 ? part.toUpperCase() : (ARROWS[part] ?? part))).join("+");
}

/** Keys that two commands of the same scope would share. */
export function duplicates(table: readonly Shortcut[]): string[] {
  const seen = new Set<string>();
  const found: string[] = [];
  for (const { scope, keys } of table) {
    for (const key of keys) {
      const name = `${scope} ${key}`;
      if (seen.has(name)) found.push(name);
      seen.add(name);
    }
  }
  return found;
}

/** The command of a press in the given scopes, innermost first; null if the press means nothing. */
export function commandOf(
  press: KeyPress,
  scopes: readonly Scope[],
  table: readonly Shortcut[],
  singleKeys: boolean,
): string | null {
  const name = pressName(press);
  if (!singleKeys && isSingle(name.replace(/^Shift\+/, ""))) return null;
  for (const scope of scopes) {
    const row = table.find((candidate) => candidate.scope === scope && candidate.keys.includes(name));
    if (row !== undefined) return row.command;
  }
  return null;
}
