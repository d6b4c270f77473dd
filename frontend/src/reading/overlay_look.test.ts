import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Look } from "../viewer/look.ts";
import type { PaneId } from "../viewer/pane.ts";
import { dressOverlay } from "./commands.ts";
import { DeskWorld, startWorld } from "./desk_fixture.ts";

vi.mock("@cornerstonejs/core", () => import("../viewer/toolkit_fixture.ts"));
vi.mock("@cornerstonejs/metadata", () => import("../viewer/toolkit_fixture.ts"));
vi.mock("@cornerstonejs/dicom-image-loader", () => import("../viewer/toolkit_fixture.ts"));
beforeEach(startWorld);

const FUSED: PaneId[] = ["fused-axial", "fused-sagittal", "fused-coronal"];
const PRESETS = [
  { name: "volume", lower: 0, upper: 700 },
  { name: "lesion", lower: 0, upper: 1500 },
  { name: "half", lower: 0, upper: 750 },
  { name: "full", lower: 0, upper: 2400 },
];
const opened = (): Promise<DeskWorld> =>
  new DeskWorld((document) => {
    for (const series of document.series) if (series.role === "SPECT") series.presets = PRESETS;
  }).open();
const overlays = (world: DeskWorld): Partial<Look>[] =>
  FUSED.map((id) => {
    const { overlay, overlay_upper, overlay_map, opacity, threshold } = world.pane(id).look;
    return { overlay, overlay_upper, overlay_map, opacity, threshold };
  });
const ofAll = (world: DeskWorld): Partial<Look> => {
  const [first, ...others] = overlays(world);
  for (const one of others) expect(one).toEqual(first);
  return first ?? {};
};

describe("the overlay is one thing in three panes", () => {
  it.each(FUSED.flatMap((id) => PRESETS.map(({ upper }, k) => [id, k + 1, upper] as const)))(
    "%s: preset %i sets its upper bound to %i in all of them",
    async (id, preset, upper) => {
      const world = await opened();
      await world.run("pane-ct");
      await world.run(`pane-${id}`, `preset-${preset}`);
      expect(ofAll(world).overlay_upper).toBe(upper);
    },
  );
  it.each([
    ["wider", { overlay_upper: 700 * 1.1 }],
    ["narrower", { overlay_upper: 700 * 0.9 }],
    ["opacity-up", { opacity: 0.6 }],
    ["opacity-down", { opacity: 0.4 }],
    ["overlay", { overlay: false }],
    ["colour-map", { overlay_map: "hot" }],
  ] as [string, Partial<Look>][])("the command %s", async (command, found) => {
    const world = await opened();
    await world.run("pane-fused-coronal", command);
    expect(ofAll(world)).toMatchObject(found);
  });
  it("a drag of its window", async () => {
    const world = await opened();
    world.point("fused-sagittal", "pointerdown", 200, 200);
    world.point("fused-sagittal", "pointermove", 300, 200);
    world.point("fused-sagittal", "pointerup", 300, 200);
    expect(ofAll(world).overlay_upper).toBe(1050);
  });
  it("a reset", async () => {
    const world = await opened();
    await world.run(
      "pane-fused-axial",
      "preset-4",
      "opacity-up",
      "colour-map",
      "pane-fused-coronal",
      "reset",
    );
    expect(ofAll(world)).toEqual({
      overlay: true,
      overlay_upper: 700,
      overlay_map: "inferno",
      opacity: 0.5,
      threshold: 0.1,
    });
  });
  it("a reset of one pane leaves zoom and CT window of the others", async () => {
    const world = await opened();
    const before = { ...world.pane("fused-axial").look };
    world.pane("fused-axial").setLook({ zoom: 3, lower: -10, upper: 90 });
    await world.run("pane-fused-coronal", "reset");
    expect(world.pane("fused-axial").look).toMatchObject({ ...before, zoom: 3, lower: -10, upper: 90 });
  });
  it("neither CT nor SPECT panes change with it", async () => {
    const world = await opened();
    const before = [world.pane("ct").look, world.pane("spect").look];
    await world.run("pane-fused-axial", "preset-2", "wider", "overlay", "opacity-up", "colour-map");
    expect([world.pane("ct").look, world.pane("spect").look]).toEqual(before);
  });
  it("a preset of the SPECT pane changes that pane alone", async () => {
    const world = await opened();
    await world.run("pane-spect", "preset-2");
    expect(world.pane("spect").look).toMatchObject({ lower: 0, upper: 1500 });
    expect(ofAll(world).overlay_upper).toBe(700);
  });
  it("the draft keeps the same overlay for each of them", async () => {
    const world = await opened();
    await world.run("pane-fused-axial", "preset-3");
    await world.pass(6000);
    const looks = world.saves().at(-1)?.looks as Record<string, Partial<Look>> | undefined;
    expect(FUSED.map((id) => looks?.[id]?.overlay_upper)).toEqual([750, 750, 750]);
  });
  it("before the panes are there nothing is dressed", () => {
    const world = new DeskWorld();
    expect(() => dressOverlay(world.desk, () => ({ opacity: 1 }))).not.toThrow();
  });
});
