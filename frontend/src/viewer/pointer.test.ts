import { beforeEach, describe, expect, it, vi } from "vitest";
import { DeskWorld, startWorld } from "../reading/desk_fixture.ts";
import { type PageElement, pageElement, pointerEvent } from "./dom_fixture.ts";
import type { PaneId } from "./pane.ts";
import type { Tool } from "./pointer.ts";

vi.mock("@cornerstonejs/core", () => import("./toolkit_fixture.ts"));
vi.mock("@cornerstonejs/metadata", () => import("./toolkit_fixture.ts"));
vi.mock("@cornerstonejs/dicom-image-loader", () => import("./toolkit_fixture.ts"));
beforeEach(startWorld);

const LEFT = 0;
const MIDDLE = 1;
const RIGHT = 2;
const opened = async (tool: Tool = "window"): Promise<DeskWorld> => {
  const world = await new DeskWorld().open();
  world.desk.store.set({ tool });
  return world;
};
function drag(world: DeskWorld, id: PaneId, [dx, dy]: [number, number], button = LEFT): void {
  world.point(id, "pointerdown", 200, 200, button);
  world.point(id, "pointermove", 200 + dx, 200 + dy, button);
  world.point(id, "pointerup", 200 + dx, 200 + dy, button);
}
const rootOf = (world: DeskWorld, id: PaneId): PageElement =>
  world.pane(id).dom.root as unknown as PageElement;

describe("dragging with the left button", () => {
  it("sets the window of CT: right is wider, up is a higher centre", async () => {
    const world = await opened();
    world.pane("ct").setLook({ lower: -300, upper: 1200 });
    drag(world, "ct", [100, -20]);
    const { lower, upper } = world.pane("ct").look;
    expect(upper - lower).toBeCloseTo(1500 * 1.5, 6);
    expect((upper + lower) / 2).toBeCloseTo(450 + 40, 6);
  });
  it("sets the upper bound of SPECT alone", async () => {
    const world = await opened();
    drag(world, "spect", [100, -50]);
    expect(world.pane("spect").look).toMatchObject({ lower: 0, upper: 1050 });
  });
  it("sets the upper bound of the overlay in a fused pane, the CT below it stays", async () => {
    const world = await opened();
    const { lower, upper } = world.pane("fused-axial").look;
    drag(world, "fused-axial", [-100, 30]);
    expect(world.pane("fused-axial").look).toMatchObject({ overlay_upper: 350, lower, upper });
  });
  it("never turns a window upside down, however far to the left", async () => {
    const world = await opened();
    for (const id of ["ct", "spect"] as const) {
      drag(world, id, [-900, 0]);
      expect(world.pane(id).look.upper).toBeGreaterThan(world.pane(id).look.lower);
    }
  });
  it("pans with the pan tool: what was under the pointer stays under it", async () => {
    const world = await opened("pan");
    const before = world.pane("ct").toWorld([200, 200]);
    drag(world, "ct", [40, -24]);
    const after = world.pane("ct").toWorld([240, 176]);
    expect(after[0]).toBeCloseTo(before[0], 3);
    expect(after[1]).toBeCloseTo(before[1], 3);
  });
  it("zooms with the zoom tool: up is closer", async () => {
    const world = await opened("zoom");
    drag(world, "ct", [0, -150]);
    expect(world.pane("ct").look.zoom).toBeCloseTo(Math.E, 6);
    drag(world, "ct", [0, 150]);
    expect(world.pane("ct").look.zoom).toBeCloseTo(1, 6);
  });
  it.each([
    [-8, 31],
    [-31, 33],
    [-32, 34],
    [40, 25],
    [7, 30],
  ])("scrolls one slice for eight pixels with the scroll tool (%i px)", async (dy, index) => {
    const world = await opened("scroll");
    drag(world, "ct", [0, dy]);
    await world.pass(10);
    expect(world.pane("ct").index).toBe(index);
  });
  it("of less than three pixels is a click and changes nothing", async () => {
    for (const tool of ["window", "pan", "zoom", "scroll"] as const) {
      const world = await opened(tool);
      const before = world.pane("ct").look;
      drag(world, "ct", [2, 2]);
      expect(world.pane("ct").look).toBe(before);
    }
  });
});

describe("the other buttons", () => {
  it.each(["window", "pan", "zoom", "scroll"] as const)(
    "middle pans, right zooms, whatever the tool is (%s)",
    async (tool) => {
      const world = await opened(tool);
      drag(world, "ct", [50, 0], MIDDLE);
      expect(world.pane("ct").look.centre?.[0]).toBeCloseTo(-50 / 0.8, 3);
      drag(world, "ct", [0, -150], RIGHT);
      expect(world.pane("ct").look.zoom).toBeCloseTo(Math.E, 6);
    },
  );
  it("the right button opens no menu", async () => {
    const world = await opened();
    const event = new Event("contextmenu", { cancelable: true });
    rootOf(world, "ct").dispatchEvent(event);
    expect(event.defaultPrevented).toBe(true);
  });
});

describe("a pointer that is taken away", () => {
  it.each(["window", "pan", "zoom", "scroll"] as const)("leaves %s as far as it was", async (tool) => {
    const [whole, taken] = [await opened(tool), await opened(tool)];
    drag(whole, "ct", [40, -40]);
    taken.point("ct", "pointerdown", 200, 200);
    taken.point("ct", "pointermove", 240, 160);
    taken.point("ct", "pointercancel", 0, 0);
    taken.point("ct", "pointermove", 300, 300);
    await Promise.all([whole.pass(10), taken.pass(10)]);
    expect(taken.pane("ct").look).toEqual(whole.pane("ct").look);
    expect(taken.pane("ct").index).toBe(whole.pane("ct").index);
  });
  it("is no click: the focus stays", async () => {
    const world = await opened();
    world.desk.store.set({ crosshair: true });
    const before = world.desk.viewer?.focus;
    world.point("ct", "pointerdown", 120, 120);
    world.point("ct", "pointercancel", 120, 120);
    expect(world.desk.viewer?.focus).toEqual(before);
    world.point("ct", "pointerdown", 120, 120);
    world.point("ct", "pointerup", 120, 120);
    expect(world.desk.viewer?.focus).not.toEqual(before);
  });
  it("a palm that comes down beside a pen takes nothing over", async () => {
    const [alone, beside] = [await opened("pan"), await opened("pan")];
    for (const world of [alone, beside]) {
      const root = rootOf(world, "ct");
      root.dispatchEvent(pointerEvent("pointerdown", 200, 200));
      if (world === beside) {
        root.dispatchEvent(pointerEvent("pointerdown", 300, 300, { id: 2 }));
        root.dispatchEvent(pointerEvent("pointermove", 310, 310, { id: 2 }));
        root.dispatchEvent(pointerEvent("pointerup", 310, 310, { id: 2 }));
      }
      root.dispatchEvent(pointerEvent("pointermove", 240, 200));
      root.dispatchEvent(pointerEvent("pointerup", 240, 200));
    }
    expect(beside.pane("ct").look.centre).toEqual(alone.pane("ct").look.centre);
    expect(alone.pane("ct").look.centre).not.toBeNull();
  });
  it("a pointer whose end was lost is let go, and the next one works", async () => {
    const world = await opened("pan");
    const root = rootOf(world, "ct");
    root.dispatchEvent(pointerEvent("pointerdown", 200, 200, { id: 2 }));
    root.dispatchEvent(pointerEvent("lostpointercapture", 0, 0, { id: 2 }));
    root.dispatchEvent(pointerEvent("pointerdown", 200, 200));
    root.dispatchEvent(pointerEvent("pointermove", 240, 200));
    expect(world.pane("ct").look.centre).not.toBeNull();
  });
  it("another finger's end is not its own", async () => {
    const world = await opened("pan");
    const root = rootOf(world, "ct");
    root.dispatchEvent(pointerEvent("pointerdown", 200, 200));
    root.dispatchEvent(pointerEvent("pointercancel", 0, 0, { id: 2 }));
    root.dispatchEvent(pointerEvent("pointermove", 240, 200));
    expect(world.pane("ct").look.centre).not.toBeNull();
  });
});

describe("the wheel", () => {
  it.each([
    [-120, 31],
    [-1, 31],
    [3, 29],
    [480, 29],
    [0, 30],
  ])("by %i goes one slice, towards the head when it turns away", async (deltaY, index) => {
    const world = await opened();
    const event = Object.assign(new Event("wheel", { cancelable: true }), { deltaY });
    rootOf(world, "ct").dispatchEvent(event);
    await world.pass(10);
    expect(world.pane("ct").index).toBe(index);
    expect(event.defaultPrevented).toBe(true);
  });
  it("stops at the last slice", async () => {
    const world = await opened();
    for (let k = 0; k < 50; k += 1)
      rootOf(world, "ct").dispatchEvent(Object.assign(new Event("wheel"), { deltaY: -1 }));
    await world.pass(10);
    expect(world.pane("ct").index).toBe(59);
  });
});

describe("which pane is meant", () => {
  it("is the pressed or focused one", async () => {
    const world = await opened();
    world.point("spect", "pointerdown", 10, 10);
    expect(world.desk.state.active).toBe("spect");
    rootOf(world, "fused-coronal").dispatchEvent(new Event("focus"));
    expect(world.desk.state.active).toBe("fused-coronal");
  });
  it("a second finger moves nothing", async () => {
    const world = await opened("pan");
    const root = rootOf(world, "ct");
    root.dispatchEvent(pointerEvent("pointerdown", 200, 200));
    root.dispatchEvent(pointerEvent("pointermove", 300, 300, { id: 2 }));
    root.dispatchEvent(pointerEvent("pointerup", 300, 300, { id: 2 }));
    expect(world.pane("ct").look.centre).toBeNull();
  });
  it("a press on the retry button is the button's own", async () => {
    const world = await opened();
    const event = pointerEvent("pointerdown", 10, 10);
    Object.defineProperty(event, "target", { value: pageElement("button") });
    rootOf(world, "spect").dispatchEvent(event);
    expect(world.desk.state.active).toBe("ct");
  });
  it("after the case is closed nothing is moved any more", async () => {
    const world = await opened("pan");
    const pane = world.pane("ct");
    const root = rootOf(world, "ct");
    await world.desk.close();
    for (const [type, x] of [
      ["pointerdown", 200],
      ["pointermove", 300],
    ] as const)
      root.dispatchEvent(pointerEvent(type, x, 200));
    expect(pane.look.centre).toBeNull();
  });
});

describe("zooming about a place", () => {
  it.each([
    [2, [200, 200]],
    [2, [80, 320]],
    [0.5, [390, 10]],
    [1.25, [0, 400]],
  ] as [number, [number, number]][])("by %f keeps what lies at %j where it is", async (factor, at) => {
    const world = await opened();
    const before = world.pane("ct").toWorld(at);
    world.pane("ct").zoomBy(factor, at);
    const after = world.pane("ct").toWorld(at);
    expect(after[0]).toBeCloseTo(before[0], 3);
    expect(after[1]).toBeCloseTo(before[1], 3);
  });
  it.each([
    [1000, 40],
    [0.0001, 0.2],
  ])("by %f ends at %f", async (factor, zoom) => {
    const world = await opened();
    world.pane("ct").zoomBy(factor);
    expect(world.pane("ct").look.zoom).toBe(zoom);
  });
});
