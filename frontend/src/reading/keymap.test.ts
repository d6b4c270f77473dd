import { describe, expect, it } from "vitest";
import {
  assignKeys,
  commandOf,
  duplicates,
  type KeyPress,
  keyLabel,
  pressName,
  reassign,
  type Scope,
  SHORTCUTS,
} from "./keymap.ts";

const press = (key: string, held: Partial<KeyPress> = {}): KeyPress => ({
  key,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  altKey: false,
  ...held,
});
const VIEW: Scope[] = ["pane", "form", "desk"];
const OUTLINE: Scope[] = ["outline", "pane", "desk"];

describe("the key table", () => {
  it("gives no key to two commands of one scope", () => {
    expect(duplicates(SHORTCUTS)).toEqual([]);
  });
  it("names no command twice", () => {
    const commands = SHORTCUTS.map(({ command }) => command);
    expect(new Set(commands).size).toBe(commands.length);
  });
  it("leaves no pane key that a form key would need", () => {
    const form = SHORTCUTS.filter(({ scope }) => scope === "form").flatMap(({ keys }) => keys);
    const pane = new Set(SHORTCUTS.filter(({ scope }) => scope === "pane").flatMap(({ keys }) => keys));
    expect(form.filter((key) => pane.has(key))).toEqual([]);
  });
});

describe("the name of a key press", () => {
  it.each([
    [press("M"), "m"],
    [press("m", { shiftKey: true }), "Shift+m"],
    [press("?", { shiftKey: true }), "?"],
    [press("<", { shiftKey: true }), "<"],
    [press(" "), "Space"],
    [press(" ", { shiftKey: true }), "Shift+Space"],
    [press("ArrowUp", { ctrlKey: true }), "Ctrl+ArrowUp"],
    [press("z", { metaKey: true }), "Ctrl+z"],
    [press("Z", { ctrlKey: true, shiftKey: true }), "Ctrl+Shift+z"],
    [press("Delete", { shiftKey: true }), "Shift+Delete"],
  ])("%j is %s", (event, name) => {
    expect(pressName(event)).toBe(name);
  });
});

describe("the command of a key press", () => {
  const find = (key: string, scopes: Scope[], held: Partial<KeyPress> = {}, single = true): string | null =>
    commandOf(press(key, held), scopes, SHORTCUTS, single);

  it("is the innermost scope's", () => {
    expect(find("ArrowUp", VIEW)).toBe("slice-next");
    expect(find("ArrowUp", OUTLINE)).toBe("cursor-up");
  });
  it("never answers a question from within outline mode", () => {
    for (const key of ["m", "b", "1", "2", "3", "4", "5"]) expect(find(key, OUTLINE)).toBeNull();
  });
  it("is nothing while another modifier is held", () => {
    expect(find("m", VIEW, { altKey: true })).toBeNull();
    expect(find("m", VIEW, { ctrlKey: true })).toBeNull();
  });
  it("is nothing for single keys when these are switched off, but stays for others", () => {
    expect(find("m", VIEW, {}, false)).toBeNull();
    expect(find("n", OUTLINE, { shiftKey: true }, false)).toBeNull();
    expect(find("s", VIEW, { ctrlKey: true }, false)).toBe("save");
    expect(find("Escape", VIEW, {}, false)).toBe("escape");
  });
});

describe("a user's own keys", () => {
  it("take the place of the default", () => {
    const table = assignKeys({ "call-metastasis": "y" }, SHORTCUTS);
    expect(commandOf(press("y"), ["form"], table, true)).toBe("call-metastasis");
    expect(commandOf(press("m"), ["form"], table, true)).toBeNull();
  });
  it("are refused when they collide", () => {
    const table = assignKeys({ "call-metastasis": "b" }, SHORTCUTS);
    expect(commandOf(press("b"), ["form"], table, true)).toBe("call-benign");
    expect(commandOf(press("m"), ["form"], table, true)).toBe("call-metastasis");
  });
});

describe("re-assigning a key", () => {
  it("keeps the other keys of the user", () => {
    expect(reassign({ link: "Ctrl+l" }, "call-metastasis", "n")).toEqual({
      own: { link: "Ctrl+l", "call-metastasis": "n" },
    });
  });
  it("is refused for a key that another command has, with the command's name", () => {
    expect(reassign({}, "call-metastasis", "b")).toEqual({
      refusal: "This key already means “Call: benign”.",
    });
  });
  it("is refused across form, pane and desk, which are live together", () => {
    expect(reassign({}, "call-metastasis", "y")).toHaveProperty("refusal");
    expect(reassign({}, "link", "v")).toHaveProperty("refusal");
  });
  it("may take a key that only means something while drawing", () => {
    expect(reassign({}, "call-metastasis", "n")).toHaveProperty("own");
    expect(reassign({}, "tool-points", "m")).toHaveProperty("own");
  });
  it("may take a key that its owner gave away", () => {
    const freed = reassign({}, "call-benign", "n");
    if ("refusal" in freed) throw new Error(freed.refusal);
    expect(reassign(freed.own, "call-metastasis", "b")).toHaveProperty("own.call-metastasis", "b");
  });
  it("back to the default forgets the change", () => {
    expect(reassign({ "call-metastasis": "n" }, "call-metastasis", "m")).toEqual({ own: {} });
  });
  it("to no key switches the command's key off", () => {
    const off = reassign({}, "call-metastasis", "");
    if ("refusal" in off) throw new Error(off.refusal);
    expect(commandOf(press("m"), VIEW, assignKeys(off.own), true)).toBeNull();
    expect(reassign(off.own, "call-benign", "")).toHaveProperty("own");
  });
  it("of an unknown command is refused", () => {
    expect(reassign({}, "no-such-command", "n")).toHaveProperty("refusal");
  });
});

describe("the label of a key", () => {
  it.each([
    ["m", "M"],
    ["+", "+"],
    ["Ctrl+z", "Ctrl+Z"],
    ["Shift+ArrowLeft", "Shift+←"],
    ["Space", "Space"],
  ])("%s reads %s", (key, label) => {
    expect(keyLabel(key)).toBe(label);
  });
});

/** Section 6 of the specification, row by row: scope, key as printed, command. */
const TABLE = `
desk ? help|desk Escape escape|desk v focus-pane|desk f focus-form
desk q pane-ct|desk w pane-spect|desk e pane-fused-axial
desk a pane-fused-sagittal|desk s pane-fused-coronal|desk d pane-whole-body
desk t layout-next|desk z layout-single|desk Ctrl+s save|desk Ctrl+Enter submit
form m call-metastasis|form b call-benign
form 1 confidence-1|form 2 confidence-2|form 3 confidence-3|form 4 confidence-4|form 5 confidence-5
pane ArrowUp slice-next|pane ArrowDown slice-previous
pane PageUp slice-next-5|pane PageDown slice-previous-5|pane Home slice-first|pane End slice-last
pane l lesion|pane k link|pane x crosshair
pane Ctrl+ArrowLeft focus-left|pane Ctrl+ArrowRight focus-right|pane Ctrl+ArrowUp focus-up|pane Ctrl+ArrowDown focus-down
pane Shift+ArrowLeft pan-left|pane Shift+ArrowRight pan-right|pane Shift+ArrowUp pan-up|pane Shift+ArrowDown pan-down
pane + zoom-in|pane - zoom-out|pane 0 fit
pane 6 preset-1|pane 7 preset-2|pane 8 preset-3|pane 9 preset-4
pane , narrower|pane . wider|pane < centre-down|pane > centre-up
pane i invert|pane c colour-map|pane o overlay|pane [ opacity-down|pane ] opacity-up|pane y marks
pane r outline-mode|outline h tool-freehand|outline p tool-points
outline ArrowLeft cursor-left|outline ArrowRight cursor-right|outline ArrowUp cursor-up|outline ArrowDown cursor-down
outline Ctrl+ArrowLeft cursor-left-fine|outline Ctrl+ArrowDown cursor-down-fine
outline Space vertex-set|outline Backspace vertex-back|outline Enter close
outline n vertex-next|outline Shift+n vertex-previous
outline Insert vertex-insert|outline Shift+Space vertex-insert|outline Delete vertex-delete|outline Shift+Delete outline-delete
outline g copy|outline u shift-mode|outline Shift+PageUp shift-slice-up|outline Shift+PageDown shift-slice-down
pane Ctrl+z undo|pane Ctrl+Shift+z redo|pane Ctrl+y redo|outline j ghost`;
const rows = TABLE.split(/[|\n]/)
  .filter((row) => row !== "")
  .map((row) => row.split(" ") as [Scope, string, string]);

describe("the key table of the specification", () => {
  it.each(rows)("%s: %s is %s", (scope, key, command) => {
    const row = SHORTCUTS.find((candidate) => candidate.command === command);
    expect(row?.scope).toBe(scope);
    expect(row?.keys).toContain(key);
  });
  it("is the whole table: no other command has a key", () => {
    const named = new Set(rows.map(([, , command]) => command));
    const fine = ["cursor-right-fine", "cursor-up-fine"];
    expect(SHORTCUTS.map(({ command }) => command).filter((command) => !named.has(command))).toEqual(fine);
  });
  it("every command can be pressed: the press named by its key finds it in its scope", () => {
    for (const { command, scope, keys } of SHORTCUTS) {
      for (const key of keys) {
        const parts = key === "+" ? ["+"] : key.split("+");
        const last = parts.at(-1) ?? "";
        const held = { ctrlKey: parts.includes("Ctrl"), shiftKey: parts.includes("Shift") };
        expect(commandOf(press(last === "Space" ? " " : last, held), [scope], SHORTCUTS, true)).toBe(command);
      }
    }
  });
  it("no key of a reader's answer means anything in outline or shift mode", () => {
    const answers = SHORTCUTS.filter(({ scope }) => scope === "form").flatMap(({ keys }) => keys);
    for (const key of answers) expect(commandOf(press(key), OUTLINE, SHORTCUTS, true)).toBeNull();
  });
  it("what is live together shares no key", () => {
    const live = SHORTCUTS.filter(({ scope }) => scope !== "outline").flatMap(({ keys }) => keys);
    expect(new Set(live).size).toBe(live.length);
  });
});

describe("AltGr", () => {
  it.each([
    ["[", "["],
    ["]", "]"],
    ["m", "Ctrl+Alt+m"],
    ["Delete", "Ctrl+Alt+Delete"],
  ])("with %s is %s", (key, name) => {
    expect(pressName(press(key, { ctrlKey: true, altKey: true }))).toBe(name);
  });
});
