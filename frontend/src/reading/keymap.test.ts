import { describe, expect, it } from "vitest";
import {
  assignKeys,
  commandOf,
  duplicates,
  type KeyPress,
  pressName,
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
