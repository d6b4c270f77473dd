import { beforeEach, describe, expect, it, vi } from "vitest";
import type { CaseDocument } from "../api/types.ts";
import { keyEvent, type PageElement, pageElement } from "../viewer/dom_fixture.ts";
import type { PaneId } from "../viewer/pane.ts";
import { asOutlineCase, DeskWorld, startWorld } from "./desk_fixture.ts";
import { attachKeyboard } from "./keyboard.ts";

vi.mock("@cornerstonejs/core", () => import("../viewer/toolkit_fixture.ts"));
vi.mock("@cornerstonejs/metadata", () => import("../viewer/toolkit_fixture.ts"));
vi.mock("@cornerstonejs/dicom-image-loader", () => import("../viewer/toolkit_fixture.ts"));
beforeEach(startWorld);

const CT_PRESETS = [
  { name: "bone", lower: -300, upper: 1200 },
  { name: "soft", lower: -160, upper: 240 },
  { name: "lung", lower: -1350, upper: 150 },
  { name: "dense", lower: -800, upper: 2200 },
];
const SPECT_PRESETS = ["volume", "lesion", "half", "full"].map((name, k) => ({
  name,
  lower: 0,
  upper: 100 * (k + 1),
}));

/** A desk whose keyboard works, with the focus on the page itself. */
class Typing {
  readonly world: DeskWorld;
  focus: PageElement;
  detach: () => void;
  constructor(world: DeskWorld) {
    this.world = world;
    this.focus = document.body as unknown as PageElement;
    this.detach = attachKeyboard(world.desk);
  }
  /** Types keys as `Ctrl+z`; true where the desk took the last one from the browser. */
  async type(...keys: string[]): Promise<boolean> {
    let taken = false;
    for (const name of keys) {
      const parts = name.length === 1 ? [name] : name.split("+");
      const held = {
        ctrlKey: parts.includes("Ctrl"),
        metaKey: parts.includes("Cmd"),
        shiftKey: parts.includes("Shift"),
        altKey: parts.includes("Alt"),
      };
      const event = keyEvent(parts.at(-1) ?? "", this.focus, held);
      document.dispatchEvent(event);
      taken = event.defaultPrevented;
      await this.world.pass(1);
    }
    return taken;
  }
}
const typing = async (change: (document: CaseDocument) => void = () => undefined): Promise<Typing> =>
  new Typing(
    await new DeskWorld((document) => {
      document.series.forEach((series) => {
        series.presets = series.role === "CT" ? CT_PRESETS : SPECT_PRESETS;
      });
      change(document);
    }).open(),
  );

describe("the keys of the desk (section 6)", () => {
  it.each([
    ["q", "ct"],
    ["w", "spect"],
    ["e", "fused-axial"],
    ["a", "fused-sagittal"],
    ["s", "fused-coronal"],
    ["d", "wb-ant"],
    ["Q", "ct"],
  ] as [string, PaneId][])("%s activates %s", async (key, pane) => {
    const typist = await typing();
    typist.world.desk.store.set({ active: "wb-post" });
    await typist.type(key);
    expect(typist.world.desk.state.active).toBe(pane);
  });
  it("d goes from anterior to posterior and back", async () => {
    const typist = await typing();
    await typist.type("d", "d");
    expect(typist.world.desk.state.active).toBe("wb-post");
    await typist.type("d");
    expect(typist.world.desk.state.active).toBe("wb-ant");
  });
  it("t goes through the layouts, z shows one pane alone and comes back", async () => {
    const typist = await typing();
    const seen: string[] = [];
    for (const key of ["t", "z", "z", "t", "t"]) {
      await typist.type(key);
      seen.push(typist.world.desk.state.layout);
    }
    expect(seen).toEqual(["pair", "single", "pair", "axial", "six"]);
  });
  it.each(["Ctrl+s", "Cmd+s"])("%s saves now", async (key) => {
    const typist = await typing();
    expect(await typist.type(key)).toBe(true);
    expect(typist.world.saves()).toHaveLength(1);
  });
  it.each(["Ctrl+Enter", "Cmd+Enter"])("%s opens the summary", async (key) => {
    const typist = await typing();
    await typist.type(key);
    expect(typist.world.desk.state.dialog).toBe("summary");
  });
  it("? opens the help and closes it", async () => {
    const typist = await typing();
    await typist.type("?");
    expect(typist.world.desk.state.dialog).toBe("help");
    await typist.type("?");
    expect(typist.world.desk.state.dialog).toBeNull();
  });
});

describe("the keys of the form", () => {
  it.each([
    ["m", { call: "metastasis" }],
    ["b", { call: "benign" }],
    ...[1, 2, 3, 4, 5].map((k) => [String(k), { confidence: k }]),
  ] as [string, object][])("%s answers %j", async (key, answers) => {
    const typist = await typing();
    await typist.type(key);
    expect(typist.world.desk.state.answers).toEqual(answers);
  });
  it.each(["outline-mode", "shift"])("answer nothing from within %s", async (mode) => {
    const typist = await typing(asOutlineCase);
    await typist.type("q", "r");
    if (mode === "shift") typist.world.desk.store.set({ mode: { kind: "shift", slot: "CT" } });
    await typist.type("m", "b", "1", "2", "3", "4", "5");
    expect(typist.world.desk.state.answers).toEqual({});
  });
});

describe("the keys of a pane", () => {
  it.each([
    ["ArrowUp", 31],
    ["ArrowDown", 29],
    ["PageUp", 35],
    ["PageDown", 25],
    ["Home", 0],
    ["End", 59],
  ])("%s goes to slice %i, up is the head", async (key, index) => {
    const typist = await typing();
    await typist.type("q", key);
    expect(typist.world.pane("ct").index).toBe(index);
  });
  it.each([
    ["q", "Ctrl+ArrowRight", [18 + 1.953125, 70, 30]],
    ["q", "Ctrl+ArrowLeft", [18 - 1.953125, 70, 30]],
    ["q", "Ctrl+ArrowUp", [18, 70 - 1.953125, 30]],
    ["q", "Ctrl+ArrowDown", [18, 70 + 1.953125, 30]],
    ["w", "Ctrl+ArrowRight", [18 + 4.4179, 70, 30]],
    ["w", "Cmd+ArrowUp", [18, 70 - 4.4179, 30]],
    ["e", "Ctrl+ArrowDown", [18, 70 + 1.953125, 30]],
    ["a", "Ctrl+ArrowRight", [18, 70 + 1.953125, 30]],
  ] as [string, string, number[]][])(
    "%s %s moves the focus by one native pixel to %j",
    async (pane, key, focus) => {
      const typist = await typing();
      await typist.type(pane, key);
      typist.world.desk.viewer?.focus.forEach((value, axis) => {
        expect(value).toBeCloseTo(focus[axis] as number, 9);
      });
    },
  );
  it.each([
    ["Shift+ArrowRight", 0, -50],
    ["Shift+ArrowLeft", 0, 50],
    ["Shift+ArrowDown", 1, -50],
    ["Shift+ArrowUp", 1, 50],
  ])("%s pans by a tenth of the view", async (key, axis, mm) => {
    const typist = await typing();
    await typist.type("q", key);
    expect(typist.world.pane("ct").look.centre?.[axis]).toBeCloseTo(mm, 3);
  });
  it.each([
    ["+", 1.25],
    ["=", 1.25],
    ["-", 0.8],
  ])("%s zooms to %f, 0 fits again", async (key, zoom) => {
    const typist = await typing();
    await typist.type("q", key);
    expect(typist.world.pane("ct").look.zoom).toBeCloseTo(zoom, 9);
    await typist.type("0");
    expect(typist.world.pane("ct").look).toMatchObject({ zoom: 1, centre: null });
  });
  it.each([
    ["6", -300, 1200],
    ["7", -160, 240],
    ["8", -1350, 150],
    ["9", -800, 2200],
  ])("%s on CT is the window %i to %i", async (key, lower, upper) => {
    const typist = await typing();
    await typist.type("q", key);
    expect(typist.world.pane("ct").look).toMatchObject({ lower, upper });
  });
  it.each([
    ["6", 100],
    ["7", 200],
    ["8", 300],
    ["9", 400],
  ])("%s on SPECT and on the overlay is the upper bound %i", async (key, upper) => {
    const typist = await typing();
    await typist.type("w", key, "e", key);
    expect(typist.world.pane("spect").look).toMatchObject({ lower: 0, upper });
    expect(typist.world.pane("fused-axial").look.overlay_upper).toBe(upper);
  });
  it.each([
    [",", 1350, 450],
    [".", 1650, 450],
    ["<", 1500, 425],
    [">", 1500, 475],
  ])("%s makes the CT window %i wide about %i", async (key, width, centre) => {
    const typist = await typing();
    await typist.type("q", key);
    const { lower, upper } = typist.world.pane("ct").look;
    expect([upper - lower, (upper + lower) / 2].map(Math.round)).toEqual([width, centre]);
  });
  it("comma and full stop move the upper bound of SPECT by a tenth, < and > leave it", async () => {
    const typist = await typing();
    await typist.type("w", ".", "<", ">");
    expect(typist.world.pane("spect").look).toMatchObject({ lower: 0 });
    expect(typist.world.pane("spect").look.upper).toBeCloseTo(110, 9);
  });
  it("i inverts, c changes the colour map", async () => {
    const typist = await typing();
    await typist.type("q", "i", "c");
    expect(typist.world.pane("ct").look).toMatchObject({ invert: true, map: "inferno" });
  });
  it.each([
    ["o", { overlay: false }],
    ["[", { opacity: 0.4 }],
    ["]", { opacity: 0.6 }],
  ])("%s dresses the overlay of all three fused panes", async (key, look) => {
    const typist = await typing();
    await typist.type("e", key);
    for (const id of ["fused-axial", "fused-sagittal", "fused-coronal"] as const)
      expect(typist.world.pane(id).look).toMatchObject(look);
    expect(typist.world.pane("ct").look).toMatchObject({ overlay: true, opacity: 0.5 });
  });
  it("k links and unlinks, x and y show and hide, and each is said or seen", async () => {
    const typist = await typing();
    const { desk } = typist.world;
    await typist.type("k");
    expect([desk.state.isLinked, desk.state.announcement]).toEqual([false, "The panes are not linked."]);
    await typist.type("k", "x", "y");
    expect([desk.state.isLinked, desk.state.crosshair, desk.state.marks]).toEqual([true, true, false]);
  });
  it("l leads back to the lesion", async () => {
    const typist = await typing();
    await typist.type("q", "Home", "l");
    expect(typist.world.pane("ct").index).toBe(30);
  });
});

describe("the keys of outlining", () => {
  it("V5: draw, close, undo and redo without a mouse", async () => {
    const typist = await typing(asOutlineCase);
    await typist.type(
      "q",
      "r",
      " ",
      ...Array<string>(6).fill("ArrowRight"),
      " ",
      ...Array<string>(6).fill("ArrowDown"),
    );
    await typist.type(" ", "Enter");
    const present = () => typist.world.desk.state.outlines.present.CT?.vertices.length ?? 0;
    expect(present()).toBe(3);
    await typist.type("n", "Insert");
    expect(present()).toBe(4);
    await typist.type("Delete", "Ctrl+z", "Ctrl+z", "Ctrl+Shift+Z");
    expect(present()).toBe(4);
    await typist.type("Cmd+z", "Ctrl+y", "Shift+Delete");
    expect(present()).toBe(0);
  });
  it("h and p change the tool, j shows the ghost, Escape leaves", async () => {
    const typist = await typing(asOutlineCase);
    await typist.type("q", "r", "p");
    expect(typist.world.desk.state.mode).toMatchObject({ tool: "points" });
    await typist.type("h", "j");
    expect(typist.world.desk.state).toMatchObject({ mode: { tool: "freehand" }, ghost: true });
    await typist.type("Escape");
    expect(typist.world.desk.state.mode.kind).toBe("view");
  });
  it("arrows move the cursor in outline mode and the slice outside it", async () => {
    const typist = await typing(asOutlineCase);
    await typist.type("q", "r", "ArrowUp");
    expect(typist.world.pane("ct").index).toBe(30);
    await typist.type("Escape", "ArrowUp");
    expect(typist.world.pane("ct").index).toBe(31);
  });
});

describe("where keys are dead", () => {
  it.each(["textarea", "input", "select"])("typing in a %s answers nothing", async (tag) => {
    const typist = await typing();
    typist.focus = Object.assign(pageElement(tag), { type: "text" });
    expect(await typist.type("m", "1", "q", "ArrowUp")).toBe(false);
    expect(typist.world.desk.state.answers).toEqual({});
  });
  it("saving and submitting work while typing", async () => {
    const typist = await typing();
    typist.focus = pageElement("textarea");
    await typist.type("Ctrl+s");
    expect(typist.world.saves()).toHaveLength(1);
    await typist.type("Ctrl+Enter");
    expect(typist.world.desk.state.dialog).toBe("summary");
  });
  it("undo while typing is the browser's own", async () => {
    const typist = await typing(asOutlineCase);
    typist.focus = pageElement("textarea");
    expect(await typist.type("Ctrl+z")).toBe(false);
  });
  it.each(["summary", "conflict", "replace", "help"] as const)(
    "the %s dialog takes all keys",
    async (dialog) => {
      const typist = await typing();
      typist.world.desk.store.set({ dialog });
      expect(await typist.type("m", "Ctrl+s", "ArrowUp")).toBe(false);
      expect(typist.world.desk.state.answers).toEqual({});
    },
  );
  it.each(["Alt+m", "Ctrl+m", "Cmd+1", "Ctrl+Alt+b"])("%s is no answer", async (key) => {
    const typist = await typing();
    await typist.type(key);
    expect(typist.world.desk.state.answers).toEqual({});
  });
  it.each(["ArrowUp", "Enter", " ", "Home", "PageDown"])(
    "%s on a button is the button's own",
    async (key) => {
      const typist = await typing();
      typist.focus = pageElement("button");
      expect(await typist.type(key)).toBe(false);
    },
  );
  it("single keys are dead when the reader has switched them off, others are not", async () => {
    const typist = await typing((document) => {
      document.case.preferences.single_keys = false;
    });
    await typist.type("m", "1");
    expect(typist.world.desk.state.answers).toEqual({});
    expect(await typist.type("Ctrl+s")).toBe(true);
  });
  it("a re-assigned key takes the place of the old one", async () => {
    const typist = await typing((document) => {
      document.case.preferences.keys = { "call-metastasis": "ä" };
    });
    await typist.type("m");
    expect(typist.world.desk.state.answers).toEqual({});
    await typist.type("Ä");
    expect(typist.world.desk.state.answers).toEqual({ call: "metastasis" });
  });
  it("all are dead once the desk is gone", async () => {
    const typist = await typing();
    typist.detach();
    await typist.type("m");
    expect(typist.world.desk.state.answers).toEqual({});
  });
});

describe("keyboards on which a sign needs AltGr", () => {
  it("type [ and ] with Ctrl and Alt reported as held", async () => {
    const typist = await typing();
    await typist.type("e", "Ctrl+Alt+[");
    expect(typist.world.pane("fused-axial").look.opacity).toBe(0.4);
    await typist.type("Ctrl+Alt+]");
    expect(typist.world.pane("fused-axial").look.opacity).toBe(0.5);
  });
});
