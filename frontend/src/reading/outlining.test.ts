import { beforeEach, describe, expect, it, vi } from "vitest";
import type { CaseDocument, Outline, Slot, Vec3 } from "../api/types.ts";
import { planeDistance } from "../roi/geometry.ts";
import { pixelsPerMm } from "../viewer/affine.ts";
import { played } from "../viewer/toolkit_fixture.ts";
import { asOutlineCase, circleAt, DeskWorld, startWorld } from "./desk_fixture.ts";

vi.mock("@cornerstonejs/core", () => import("../viewer/toolkit_fixture.ts"));
vi.mock("@cornerstonejs/metadata", () => import("../viewer/toolkit_fixture.ts"));
vi.mock("@cornerstonejs/dicom-image-loader", () => import("../viewer/toolkit_fixture.ts"));
beforeEach(startWorld);

const PANES: [Slot, "ct" | "spect"][] = [
  ["CT", "ct"],
  ["SPECT", "spect"],
];
/** In outline mode one CSS pixel is 0.35 mm and the lesion lies in the middle of the pane. */
const MM = 0.35;
const aimed = ([x, y]: [number, number]): [number, number] => [18 + (x - 200) * MM, 70 + (y - 200) * MM];

const opened = (change: (document: CaseDocument) => void = () => undefined): Promise<DeskWorld> =>
  new DeskWorld((document) => {
    asOutlineCase(document);
    change(document);
  }).open();

async function drawing(
  pane: "ct" | "spect" = "ct",
  tool: "freehand" | "points" = "freehand",
): Promise<DeskWorld> {
  const world = await opened();
  await world.run(`pane-${pane}`, "outline-mode", `tool-${tool}`);
  return world;
}
const outlineOf = (world: DeskWorld, slot: Slot = "CT"): Outline => {
  const outline = world.desk.state.outlines.present[slot];
  if (outline === null) throw new Error(`nothing is drawn on ${slot}`);
  return outline;
};
const steps = (world: DeskWorld): number => world.desk.state.outlines.past.length;
const clickAt = (world: DeskWorld, x: number, y: number): void => world.stroke("ct", [[x, y]]);

async function square(world: DeskWorld): Promise<void> {
  for (const [x, y] of [
    [100, 100],
    [300, 100],
    [300, 300],
    [100, 300],
  ] as const)
    clickAt(world, x, y);
  await world.run("close");
}

describe("entering outline mode", () => {
  it.each(PANES)(
    "on %s makes a CSS pixel at most 0.35 mm and a native pixel at least three of them",
    async (slot, id) => {
      const world = await drawing(id);
      const image = world.desk.outlining.imageOn(slot);
      const perMm = pixelsPerMm(world.pane(id).affine ?? [[0, 0, 0], 0, [0, 0, 0], 0]);
      expect(1 / perMm).toBeLessThanOrEqual(0.35 + 1e-9);
      expect(perMm * Math.min(...(image?.spacing_mm ?? [0]))).toBeGreaterThanOrEqual(3 - 1e-9);
    },
  );
  it("centres the lesion", async () => {
    const world = await drawing();
    const [x, y] = world.pane("ct").toWorld([200, 200]);
    expect([x, y]).toEqual([18, 70]);
  });
  it("never zooms out of what the reader has chosen", async () => {
    const world = await opened();
    world.pane("ct").setLook({ zoom: 12 });
    await world.run("pane-ct", "outline-mode");
    expect(world.pane("ct").look.zoom).toBe(12);
  });
  it("is announced and told to the clock", async () => {
    const world = await drawing();
    expect(world.desk.state.mode).toMatchObject({ kind: "outline", slot: "CT", tool: "freehand" });
    expect((await world.events()).find(({ kind }) => kind === "outline_start")?.detail).toEqual({
      slot: "CT",
      tool: "freehand",
    });
  });
  it.each([
    ["pane-fused-axial", "Outlines are drawn on the CT axial or the SPECT axial pane."],
    ["pane-whole-body", "Outlines are drawn on the CT axial or the SPECT axial pane."],
  ])("is refused in %s", async (pane, sentence) => {
    const world = await opened();
    await world.run(pane, "outline-mode");
    expect(world.desk.state.mode.kind).toBe("view");
    expect(world.desk.state.announcement).toBe(sentence);
  });
  it("is refused for a case that is read", async () => {
    const world = await new DeskWorld().open();
    await world.run("pane-ct", "outline-mode");
    expect(world.desk.state.announcement).toBe("This case is read, not outlined.");
  });
  it.each(["submitted", "locked", "missing"] as const)("is refused once the case is %s", async (state) => {
    const world = await opened((document) => {
      document.case.state = state;
    });
    await world.run("pane-ct", "outline-mode");
    expect(world.desk.state.mode.kind).toBe("view");
    expect(world.desk.state.announcement).toBe("This read cannot change.");
  });
  it("ends with the same key, with Escape, and with a step to another pane", async () => {
    for (const leave of ["outline-mode", "escape", "pane-spect", "pane-fused-coronal"]) {
      const world = await drawing();
      await world.run(leave);
      expect(world.desk.state.mode.kind).toBe("view");
    }
  });
});

describe("T25: a freehand stroke", () => {
  it("is one step of the history, one save and one event, however many moves it had", async () => {
    const world = await drawing();
    world.stroke("ct", circleAt(200, 200, 60, 90));
    await world.pass(2000);
    expect(steps(world)).toBe(1);
    expect(world.saves()).toHaveLength(1);
    const kinds = (await world.events()).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "outline_close")).toHaveLength(1);
  });
  it("is saved at once", async () => {
    const world = await drawing();
    world.stroke("ct", circleAt(200, 200, 60));
    await world.pass(0);
    expect(world.saves()[0]?.outlines.CT?.kind).toBe("freehand");
  });
  it("belongs to the image that is shown", async () => {
    const world = await drawing("spect");
    world.stroke("spect", circleAt(200, 200, 60));
    expect(outlineOf(world, "SPECT")).toMatchObject({
      sop_instance_uid: "2.25.7",
      frame: 42,
      frame_of_reference_uid: "2.25.9",
      copy: null,
    });
  });
  it("replaces the one before, as one step", async () => {
    const world = await drawing();
    world.stroke("ct", circleAt(200, 200, 60));
    const first = outlineOf(world);
    world.stroke("ct", circleAt(180, 180, 30));
    expect(steps(world)).toBe(2);
    await world.run("undo");
    expect(outlineOf(world)).toBe(first);
  });
  it("of one place draws nothing", async () => {
    const world = await drawing();
    world.stroke("ct", [
      [200, 200],
      [201, 200],
    ]);
    await world.pass(2000);
    expect(steps(world)).toBe(0);
  });
  it("with the middle button pans instead", async () => {
    const world = await drawing();
    world.point("ct", "pointerdown", 200, 200, 1);
    world.point("ct", "pointermove", 240, 200, 1);
    world.point("ct", "pointerup", 240, 200, 1);
    expect(steps(world)).toBe(0);
    expect(world.pane("ct").look.centre?.[0]).toBeCloseTo(18 - 40 * MM, 4);
  });
});

describe("a pointer that the system takes away (a palm, a scroll, a gesture)", () => {
  const begin = (world: DeskWorld): void => {
    const [first, ...rest] = circleAt(200, 200, 60, 48).slice(0, 40);
    world.point("ct", "pointerdown", ...(first as [number, number]));
    for (const place of rest) world.point("ct", "pointermove", ...place);
  };
  it("loses no point of the stroke: it is closed where it was, as one step, and saved at once", async () => {
    const [ended, taken] = [await drawing(), await drawing()];
    begin(ended);
    ended.point("ct", "pointerup", ...(circleAt(200, 200, 60, 48)[39] as [number, number]));
    begin(taken);
    taken.point("ct", "pointercancel", 0, 0);
    expect(outlineOf(taken).vertices).toEqual(outlineOf(ended).vertices);
    expect(outlineOf(taken).vertices.length).toBeGreaterThan(10);
    expect(steps(taken)).toBe(1);
    await taken.pass(0);
    expect(taken.saves()[0]?.outlines.CT?.vertices).toHaveLength(outlineOf(taken).vertices.length);
  });
  it("leaves what was drawn before within reach of undo", async () => {
    const world = await drawing();
    world.stroke("ct", circleAt(200, 200, 90));
    const first = outlineOf(world);
    begin(world);
    world.point("ct", "pointercancel", 0, 0);
    await world.run("undo");
    expect(outlineOf(world)).toBe(first);
  });
  it("keeps the points that were set, and sets none where the event says it was", async () => {
    const world = await drawing("ct", "points");
    for (const [x, y] of [
      [150, 150],
      [250, 150],
      [250, 250],
    ] as const)
      clickAt(world, x, y);
    const { mode } = world.desk.state;
    world.point("ct", "pointerdown", 150, 250);
    world.point("ct", "pointercancel", 0, 0);
    expect(world.desk.state.mode).toEqual(mode);
    expect(mode.kind === "outline" && mode.open).toHaveLength(3);
  });
  it("leaves a moved vertex where it was moved to last", async () => {
    const world = await drawing("ct", "points");
    await square(world);
    world.point("ct", "pointerdown", 100, 100);
    world.point("ct", "pointermove", 120, 110);
    world.point("ct", "pointercancel", 0, 0);
    const [x, y] = aimed([120, 110]);
    expect(outlineOf(world).vertices[0]?.[0]).toBeCloseTo(x, 2);
    expect(outlineOf(world).vertices[0]?.[1]).toBeCloseTo(y, 2);
    expect(steps(world)).toBe(2);
  });
  it("is deaf to the moves and the release that come after", async () => {
    const world = await drawing();
    begin(world);
    world.point("ct", "pointercancel", 0, 0);
    const drawn = outlineOf(world);
    world.point("ct", "pointermove", 10, 10);
    world.point("ct", "pointerup", 10, 10);
    expect(outlineOf(world)).toBe(drawn);
  });
});

describe("T24: whole CSS pixels", () => {
  it.each(PANES)("put every vertex on %s within 0.35 mm of where it was aimed", async (slot, id) => {
    const world = await drawing(id);
    const places = Array.from({ length: 24 }, (_, k): [number, number] => {
      const angle = (2 * Math.PI * k) / 24;
      return [200 + 51.4 * Math.cos(angle), 200 + 51.4 * Math.sin(angle)];
    });
    await world.run("tool-points");
    for (const place of places) world.stroke(id, [place]);
    await world.run("close");
    const { vertices } = outlineOf(world, slot);
    expect(vertices).toHaveLength(24);
    vertices.forEach((vertex, k) => {
      const [x, y] = aimed(places[k] as [number, number]);
      expect(Math.abs(vertex[0] - x)).toBeLessThanOrEqual(0.35);
      expect(Math.abs(vertex[1] - y)).toBeLessThanOrEqual(0.35);
    });
  });
  it("aimed at exactly are met within 0.01 mm", async () => {
    const world = await drawing("ct", "points");
    await square(world);
    const corners = (
      [
        [100, 100],
        [300, 100],
        [300, 300],
        [100, 300],
      ] as [number, number][]
    ).map(aimed);
    outlineOf(world).vertices.forEach(([x, y], k) => {
      expect(Math.abs(x - (corners[k]?.[0] as number))).toBeLessThan(0.01);
      expect(Math.abs(y - (corners[k]?.[1] as number))).toBeLessThan(0.01);
    });
  });
});

describe("T9: the plane of an outline", () => {
  it.each(PANES)("is that of its image on %s, to the last digit that is sent", async (slot, id) => {
    const world = await drawing(id);
    world.stroke(id, circleAt(200, 200, 60));
    await world.pass(1000);
    const image = world.desk.outlining.imageOn(slot);
    const sent = world.saves().at(-1)?.outlines[slot];
    expect([sent?.sop_instance_uid, sent?.frame]).toEqual([image?.sop_instance_uid, image?.frame]);
    const z = Number((image?.position[2] ?? Number.NaN).toFixed(4));
    expect(new Set(sent?.vertices.map((vertex) => vertex[2]))).toEqual(new Set([z]));
  });
});

describe("T26: a polyline that repeats its first point", () => {
  it.each([4, 8, 24])("of %i corners is stored with %i of them", async (count) => {
    const world = await drawing("ct", "points");
    const places = circleAt(200, 200, 90, count);
    for (const place of places) world.stroke("ct", [place]);
    if (world.desk.state.mode.kind === "outline" && world.desk.state.mode.open.length > 0)
      await world.run("close");
    await world.pass(1000);
    expect(outlineOf(world).vertices).toHaveLength(count);
    expect(world.saves().at(-1)?.outlines.CT?.vertices).toHaveLength(count);
  });
  it("comes back from a draft as it went, vertex by vertex", async () => {
    const world = await drawing("ct", "points");
    await square(world);
    await world.pass(1000);
    const sent = world.saves().at(-1);
    const again = new DeskWorld((document) => {
      asOutlineCase(document);
      document.case.draft = { version: 1, document: structuredClone(sent ?? null) };
    });
    again.replies.set("draft", [{ status: 200, body: { outlines: [] } }]);
    await again.open();
    expect(outlineOf(again).vertices).toEqual(sent?.outlines.CT?.vertices);
  });
});

describe("T27: positions in single precision", () => {
  it.each(PANES)("are put exactly on the plane of %s", async (slot, id) => {
    const world = await drawing(id);
    world.stroke(id, circleAt(200, 200, 60));
    const image = world.desk.outlining.imageOn(slot);
    if (image === null) throw new Error("no image");
    for (const vertex of outlineOf(world, slot).vertices)
      expect(Math.abs(planeDistance(image, vertex))).toBeLessThan(1e-9);
  });
});

describe("T11: a slice that is shown later than asked for", () => {
  it("takes no drawing meanwhile, and none on the wrong slice", async () => {
    const world = await drawing();
    played.showDelayMs = 2000;
    world.pane("ct").scroll(1);
    await world.pass(1000);
    world.stroke("ct", circleAt(200, 200, 60));
    expect(steps(world)).toBe(0);
    await world.pass(1500);
    world.stroke("ct", circleAt(200, 200, 60));
    expect(outlineOf(world).sop_instance_uid).toBe("2.25.1031");
    expect(outlineOf(world).vertices[0]?.[2]).toBeCloseTo(32.5, 9);
  });
  it("drops a stroke that was begun on the old slice, and says so", async () => {
    const world = await drawing();
    world.point("ct", "pointerdown", 200, 200);
    world.point("ct", "pointermove", 260, 200);
    world.pane("ct").scroll(1);
    await world.pass(400);
    world.point("ct", "pointermove", 260, 260);
    world.point("ct", "pointerup", 200, 260);
    expect(steps(world)).toBe(0);
    expect(world.desk.state.announcement).not.toMatch(/^CT axial, slice/);
  });
  it("drops points set on the old slice", async () => {
    const world = await drawing("ct", "points");
    clickAt(world, 100, 100);
    clickAt(world, 200, 100);
    world.pane("ct").scroll(1);
    await world.pass(100);
    expect(world.desk.state.mode).toMatchObject({ open: [] });
    expect(world.desk.state.announcement).toBe("The slice changed, so the unfinished outline was dropped.");
  });
});

describe("points mode", () => {
  it("closes by a click on the first point, from three points on", async () => {
    const world = await drawing("ct", "points");
    for (const [x, y] of [
      [100, 100],
      [300, 100],
      [103, 102],
      [200, 300],
      [104, 98],
    ] as const)
      clickAt(world, x, y);
    expect(outlineOf(world).vertices).toHaveLength(4);
    expect(outlineOf(world).kind).toBe("points");
  });
  it.each([1, 2])("does not close with %i points", async (count) => {
    const world = await drawing("ct", "points");
    for (let k = 0; k < count; k += 1) clickAt(world, 100 + 50 * k, 100);
    await world.run("close");
    expect(steps(world)).toBe(0);
    expect(world.desk.state.mode).toMatchObject({ kind: "outline" });
  });
  it("takes the last point back", async () => {
    const world = await drawing("ct", "points");
    for (const x of [100, 150, 200, 250]) clickAt(world, x, 100 + (x % 100));
    await world.run("vertex-back");
    expect(world.desk.state.mode).toMatchObject({ open: { length: 3 } });
  });
  it("drops open points with the first Escape, the selection with the next, itself with the last", async () => {
    const world = await drawing("ct", "points");
    await square(world);
    await world.run("vertex-next");
    clickAt(world, 200, 200);
    await world.run("escape");
    expect(world.desk.state.mode).toMatchObject({ kind: "outline", open: [] });
    await world.run("escape");
    expect(world.desk.state.mode).toMatchObject({ kind: "outline", selected: null });
    await world.run("escape");
    expect(world.desk.state.mode.kind).toBe("view");
  });
  it("moves a vertex by dragging it, in one step", async () => {
    const world = await drawing("ct", "points");
    await square(world);
    world.stroke("ct", [
      [303, 297],
      [320, 320],
      [340, 350],
    ]);
    expect(steps(world)).toBe(2);
    const [x, y] = aimed([340, 350]);
    expect(outlineOf(world).vertices[2]?.[0]).toBeCloseTo(x, 2);
    expect(outlineOf(world).vertices[2]?.[1]).toBeCloseTo(y, 2);
    expect((await world.events()).at(-1)?.kind).toBe("outline_edit");
  });
  it("only selects a vertex that is pressed and let go", async () => {
    const world = await drawing("ct", "points");
    await square(world);
    clickAt(world, 300, 300);
    expect(steps(world)).toBe(1);
    expect(world.desk.state.mode).toMatchObject({ selected: 2 });
  });
  it("begins a new outline by a click away from every vertex", async () => {
    const world = await drawing("ct", "points");
    await square(world);
    clickAt(world, 200, 200);
    expect(world.desk.state.mode).toMatchObject({ open: { length: 1 } });
    expect(steps(world)).toBe(1);
  });
});

describe("drawing with the keyboard alone", () => {
  const cursor = (world: DeskWorld): Vec3 | null => {
    const { mode } = world.desk.state;
    return mode.kind === "outline" ? mode.cursor : null;
  };
  it.each([
    ["cursor-right", [18 + 1.953125 / 2, 70]],
    ["cursor-left", [18 - 1.953125 / 2, 70]],
    ["cursor-down", [18, 70 + 1.953125 / 2]],
    ["cursor-up", [18, 70 - 1.953125 / 2]],
    ["cursor-right-fine", [18 + 0.1953125, 70]],
    ["cursor-left-fine", [18 - 0.1953125, 70]],
    ["cursor-down-fine", [18, 70 + 0.1953125]],
    ["cursor-up-fine", [18, 70 - 0.1953125]],
  ] as [string, [number, number]][])(
    "%s starts at the lesion and moves by its part of a pixel",
    async (key, place) => {
      const world = await drawing();
      await world.run(key);
      expect(cursor(world)?.[0]).toBeCloseTo(place[0], 9);
      expect(cursor(world)?.[1]).toBeCloseTo(place[1], 9);
    },
  );
  it("moves by half a pixel of the SPECT there", async () => {
    const world = await drawing("spect");
    await world.run("cursor-right", "cursor-right");
    expect(cursor(world)?.[0]).toBeCloseTo(18 + 4.4179, 9);
  });
  it("draws a triangle whose corners are where the cursor was", async () => {
    const world = await drawing();
    await world.run("vertex-set");
    for (let k = 0; k < 8; k += 1) await world.run("cursor-right");
    await world.run("vertex-set");
    for (let k = 0; k < 8; k += 1) await world.run("cursor-down");
    await world.run("vertex-set", "close");
    const corners = outlineOf(world).vertices.map(([x, y]) => [x - 18, y - 70]);
    const side = 4 * 1.953125;
    [
      [0, 0],
      [side, 0],
      [side, side],
    ].forEach(([x, y], k) => {
      expect(corners[k]?.[0]).toBeCloseTo(x as number, 9);
      expect(corners[k]?.[1]).toBeCloseTo(y as number, 9);
    });
    expect(outlineOf(world).kind).toBe("points");
  });
  it("goes round the vertices in both directions", async () => {
    const world = await drawing("ct", "points");
    await square(world);
    const said: string[] = [];
    for (const key of [
      "vertex-next",
      "vertex-next",
      "vertex-previous",
      "vertex-previous",
      "vertex-previous",
    ]) {
      await world.run(key);
      said.push(world.desk.state.announcement);
    }
    expect(said).toEqual([1, 2, 1, 4, 3].map((k) => `Vertex ${k} of 4`));
  });
  it("moves the selected vertex and leaves the others", async () => {
    const world = await drawing("ct", "points");
    await square(world);
    const before = outlineOf(world).vertices;
    await world.run("vertex-next", "cursor-down-fine");
    const after = outlineOf(world).vertices;
    expect((after[0]?.[1] as number) - (before[0]?.[1] as number)).toBeCloseTo(0.1953125, 9);
    expect(after.slice(1)).toEqual(before.slice(1));
  });
  it("inserts after the selected vertex and removes it again", async () => {
    const world = await drawing("ct", "points");
    await square(world);
    await world.run("vertex-next", "vertex-insert");
    expect(outlineOf(world).vertices).toHaveLength(5);
    expect(outlineOf(world).vertices[1]?.[0]).toBeCloseTo(18, 2);
    await world.run("vertex-next", "vertex-delete");
    expect(outlineOf(world).vertices).toHaveLength(4);
  });
  it("has no vertex to select where nothing is drawn", async () => {
    const world = await drawing();
    await world.run("vertex-next");
    expect(world.desk.state.announcement).toBe("There is no outline on this slice.");
  });
  it("deletes the outline, which undo brings back", async () => {
    const world = await drawing("ct", "points");
    await square(world);
    const drawn = outlineOf(world);
    await world.run("outline-delete");
    expect(world.desk.state.outlines.present.CT).toBeNull();
    expect(world.saves().at(-1)?.outlines.CT).toBeNull();
    await world.run("undo");
    expect(outlineOf(world)).toBe(drawn);
  });
  it("has nothing to undo or to redo at first", async () => {
    const world = await drawing();
    await world.run("undo");
    expect(world.desk.state.announcement).toBe("Nothing to undo.");
    await world.run("redo");
    expect(world.desk.state.announcement).toBe("Nothing to redo.");
  });
  it("shows the slice of what it undoes", async () => {
    const world = await drawing("ct", "points");
    await square(world);
    await world.run("vertex-next", "cursor-right");
    world.pane("ct").scroll(7);
    await world.pass(10);
    await world.run("undo");
    await world.pass(10);
    expect(world.pane("ct").index).toBe(30);
  });
});

describe("V7: copying to the other modality", () => {
  const drawnOnSpect = async (): Promise<DeskWorld> => {
    const world = await drawing("spect", "freehand");
    world.stroke("spect", circleAt(200, 200, 51));
    return world;
  };
  it("lands on the nearest slice, z = 30, with the same in-plane coordinates", async () => {
    const world = await drawnOnSpect();
    await world.run("copy");
    const [source, copied] = [outlineOf(world, "SPECT"), outlineOf(world)];
    expect(copied.sop_instance_uid).toBe("2.25.1030");
    expect(copied.copy).toMatchObject({ source: "SPECT", shift_mm: [0, 0], slices_moved: 0 });
    expect(copied.copy?.plane_distance_mm).toBeCloseTo(-1.1339, 4);
    copied.vertices.forEach(([x, y, z], k) => {
      expect(x).toBeCloseTo(source.vertices[k]?.[0] as number, 9);
      expect(y).toBeCloseTo(source.vertices[k]?.[1] as number, 9);
      expect(z).toBeCloseTo(30, 9);
    });
  });
  it("names the revision that it was made of", async () => {
    const world = await drawnOnSpect();
    world.stroke("spect", circleAt(200, 200, 60));
    await world.run("copy");
    expect(outlineOf(world).copy?.source_revision).toBe(2);
  });
  it("starts shift mode in the target pane, on the target's slice", async () => {
    const world = await drawnOnSpect();
    await world.run("link");
    world.pane("ct").scroll(9);
    await world.pass(10);
    await world.run("pane-spect", "copy");
    await world.pass(10);
    expect(world.desk.state.mode).toEqual({ kind: "shift", slot: "CT" });
    expect([world.desk.state.active, world.pane("ct").index]).toEqual(["ct", 30]);
  });
  it("goes the other way, too", async () => {
    const world = await drawing("ct");
    world.stroke("ct", circleAt(200, 200, 51));
    await world.run("copy");
    await world.pass(10);
    expect(outlineOf(world, "SPECT")).toMatchObject({ frame: 42, copy: { source: "CT" } });
    expect(outlineOf(world, "SPECT").copy?.plane_distance_mm).toBeCloseTo(1.1339, 4);
    expect(world.desk.state.mode).toEqual({ kind: "shift", slot: "SPECT" });
  });
  it("onto an existing outline asks first and is one step", async () => {
    const world = await drawnOnSpect();
    await world.run("copy", "outline-mode", "pane-spect");
    const before = steps(world);
    await world.run("copy");
    expect(world.desk.state.dialog).toBe("replace");
    expect(steps(world)).toBe(before);
    void world.desk.outlining.copy(true);
    expect(steps(world)).toBe(before + 1);
  });
  it("starts shift mode only where the reader still is when the slice has come", async () => {
    const world = await drawnOnSpect();
    const copied = world.desk.outlining.copy();
    world.desk.activate("spect");
    world.desk.outlining.enter("SPECT", "freehand");
    await world.pass(10);
    await copied;
    expect(world.desk.state.mode).toMatchObject({ kind: "outline", slot: "SPECT" });
  });
  it("of nothing is refused", async () => {
    const world = await drawing();
    await world.run("copy");
    expect(world.desk.state.announcement).toBe("There is no outline on this slice.");
  });
  it("of an outline on another slice is refused", async () => {
    const world = await drawnOnSpect();
    world.pane("spect").scroll(1);
    await world.pass(10);
    await world.run("copy");
    expect(world.desk.state.announcement).toBe("There is no outline on this slice.");
  });
  it.each([
    [
      "CT and SPECT do not share a frame of reference.",
      (document: CaseDocument) => {
        const [ct] = document.series;
        if (ct !== undefined) ct.frame_of_reference_uid = "2.25.77";
      },
    ],
    [
      "The slices of CT and SPECT are not parallel.",
      (document: CaseDocument) => {
        const [ct] = document.series;
        if (ct !== undefined) ct.orientation = [1, 0, 0, 0, 0.9848, 0.1736];
      },
    ],
    [
      "The server says why.",
      (document: CaseDocument) => {
        document.case.copy = { ok: false, reason: "The server says why." };
      },
    ],
  ])("is refused with its reason: %s", async (sentence, change) => {
    const world = await opened(change);
    await world.run("pane-spect", "outline-mode");
    world.stroke("spect", circleAt(200, 200, 51));
    await world.run("copy");
    expect(world.desk.state.announcement).toBe(sentence);
    expect(world.desk.state.outlines.present.CT).toBeNull();
  });
});

describe("shift mode", () => {
  const shifting = async (): Promise<DeskWorld> => {
    const world = await drawing("spect");
    world.stroke("spect", circleAt(200, 200, 51));
    await world.run("copy");
    await world.pass(10);
    return world;
  };
  it.each([
    ["cursor-right", [0.5, 0]],
    ["cursor-left", [-0.5, 0]],
    ["cursor-down", [0, 0.5]],
    ["cursor-up", [0, -0.5]],
    ["cursor-right-fine", [0.1, 0]],
    ["cursor-left-fine", [-0.1, 0]],
    ["cursor-down-fine", [0, 0.1]],
    ["cursor-up-fine", [0, -0.1]],
  ] as [string, [number, number]][])(
    "%s moves the whole outline by %j mm and records it",
    async (key, by) => {
      const world = await shifting();
      const before = outlineOf(world).vertices;
      await world.run(key, key);
      outlineOf(world).vertices.forEach(([x, y, z], k) => {
        expect(x - (before[k]?.[0] as number)).toBeCloseTo(2 * by[0], 9);
        expect(y - (before[k]?.[1] as number)).toBeCloseTo(2 * by[1], 9);
        expect(z).toBeCloseTo(30, 9);
      });
      const { copy } = outlineOf(world);
      expect(copy?.shift_mm[0]).toBeCloseTo(2 * by[0], 9);
      expect(copy?.shift_mm[1]).toBeCloseTo(2 * by[1], 9);
      expect(copy?.edited_after_copy).toBe(false);
    },
  );
  it("goes to the next slice and back, and the record comes back with it", async () => {
    const world = await shifting();
    const before = outlineOf(world);
    await world.run("shift-slice-up");
    await world.pass(10);
    expect(outlineOf(world)).toMatchObject({ sop_instance_uid: "2.25.1031", copy: { slices_moved: 1 } });
    expect(outlineOf(world).copy?.plane_distance_mm).toBeCloseTo(2.5 - 1.1339, 4);
    expect(world.pane("ct").index).toBe(31);
    await world.run("shift-slice-down");
    await world.pass(10);
    expect(outlineOf(world).copy?.slices_moved).toBe(0);
    outlineOf(world).vertices.forEach((vertex, k) => {
      expect(vertex[2]).toBeCloseTo(before.vertices[k]?.[2] as number, 9);
    });
  });
  it("stops at the last slice", async () => {
    const world = await shifting();
    for (let k = 0; k < 40; k += 1) await world.run("shift-slice-up");
    await world.pass(10);
    expect(world.pane("ct").index).toBe(59);
    expect(outlineOf(world).copy?.slices_moved).toBe(29);
  });
  it("sends source plus recorded shift, within 0.01 mm at every vertex", async () => {
    const world = await shifting();
    for (const key of ["cursor-right", "cursor-right", "cursor-down-fine", "cursor-left-fine"])
      await world.run(key);
    await world.pass(2000);
    const sent = world.saves().at(-1)?.outlines;
    const [right, down] = sent?.CT?.copy?.shift_mm ?? [Number.NaN, Number.NaN];
    sent?.CT?.vertices.forEach(([x, y], k) => {
      expect(Math.abs(x - (sent.SPECT?.vertices[k]?.[0] as number) - right)).toBeLessThan(0.01);
      expect(Math.abs(y - (sent.SPECT?.vertices[k]?.[1] as number) - down)).toBeLessThan(0.01);
    });
    expect([right, down]).toEqual([0.9, 0.1]);
  });
  it("needs an outline", async () => {
    const world = await opened();
    await world.run("pane-ct", "shift-mode");
    expect(world.desk.state.announcement).toBe("There is no outline to shift.");
  });
  it("takes no stroke of the pointer", async () => {
    const world = await shifting();
    const before = steps(world);
    world.stroke("ct", circleAt(200, 200, 30));
    expect(steps(world)).toBe(before);
  });
});

describe("what is drawn over the panes", () => {
  const shapes = (world: DeskWorld, id: "ct" | "spect" | "fused-axial" | "wb-ant" | "wb-post"): string[] => {
    const { children } = world.pane(id).dom.overlay as unknown as {
      children: { attributes: Map<string, string> }[];
    };
    return children.map(({ attributes }) => attributes.get("class") ?? "");
  };
  it("is the ring at the lesion on its own slice, dark and light", async () => {
    const world = await opened();
    expect(shapes(world, "ct")).toEqual(["casing marker", "core marker"]);
    expect(shapes(world, "spect")).toEqual(["casing marker", "core marker"]);
  });
  it("is no ring more than half a slice away", async () => {
    const world = await opened();
    world.desk.viewer?.toLesion();
    await world.run("link", "slice-next");
    expect(shapes(world, "ct")).toEqual([]);
  });
  it("is nothing once marks are hidden", async () => {
    const world = await opened();
    await world.run("marks");
    expect(shapes(world, "ct")).toEqual([]);
  });
  it("is a crosshair, dashed where the focus lies off the shown plane", async () => {
    const world = await opened();
    await world.run("crosshair", "link", "pane-ct", "slice-next");
    expect(shapes(world, "ct")).toContain("casing crosshair away");
    expect(shapes(world, "spect")).toContain("casing crosshair");
  });
  it("is the outline on its own slice alone, solid CT and dashed SPECT by name", async () => {
    const world = await drawing();
    world.stroke("ct", circleAt(200, 200, 60));
    expect(shapes(world, "ct").some((name) => name.startsWith("core outline ct"))).toBe(true);
    expect(shapes(world, "spect").some((name) => name.includes("outline"))).toBe(false);
    await world.run("slice-next");
    expect(shapes(world, "ct").some((name) => name.includes("outline"))).toBe(false);
  });
  it("marks an outline that crosses itself as faulty, and still keeps and saves it", async () => {
    const world = await drawing("ct", "points");
    for (const [x, y] of [
      [100, 100],
      [300, 300],
      [300, 100],
      [100, 300],
    ] as const)
      clickAt(world, x, y);
    await world.run("close");
    expect(shapes(world, "ct").some((name) => name.includes("faulty"))).toBe(true);
    expect(world.desk.outlineFaults("CT")).toEqual(["self_intersection"]);
    expect(world.saves().at(-1)?.outlines.CT?.vertices).toHaveLength(4);
  });
  it("shows the other modality's outline as a ghost only when asked", async () => {
    const world = await drawing();
    world.stroke("ct", circleAt(200, 200, 60));
    const isGhost = (): boolean => shapes(world, "spect").some((name) => name.includes("ghost"));
    expect(isGhost()).toBe(false);
    await world.run("ghost");
    expect(isGhost()).toBe(true);
    await world.run("ghost");
    expect(isGhost()).toBe(false);
  });
});
