import { beforeEach, describe, expect, it } from "vitest";
import { caseFixture } from "../api/case_fixture.ts";
import type { Vec3 } from "../api/types.ts";
import { type Affine, affineOf } from "./affine.ts";
import { installPage, PageElement } from "./dom_fixture.ts";
import { type Look, protocolLook } from "./look.ts";
import { drawScene, EMPTY_SCENE, type Scene, type SceneOutline } from "./overlay.ts";
import { buildPaneDom, windowText } from "./pane_dom.ts";

beforeEach(installPage);

/** Two pixels per millimetre, the origin in the middle of 400 pixels. */
const AFFINE: Affine = affineOf(([x, y]: Vec3) => [200 + 2 * x, 200 + 2 * y]);
const TRIANGLE: SceneOutline = {
  vertices: [
    [0, 0, 5],
    [10, 0, 5],
    [0, 10, 5],
  ],
  slot: "CT",
  closed: true,
  ghost: false,
  faulty: false,
  handles: false,
  selected: null,
};
interface Shape {
  tag: string;
  attributes: Record<string, string>;
}
function drawn(scene: Partial<Scene>): Shape[] {
  const svg = new PageElement("svg");
  drawScene(svg as unknown as SVGSVGElement, AFFINE, { ...EMPTY_SCENE, ...scene });
  return svg.children.map(({ tag, attributes }) => ({ tag, attributes: Object.fromEntries(attributes) }));
}
const classes = (shapes: Shape[]): (string | undefined)[] =>
  shapes.map(({ attributes }) => attributes.class?.trim());

describe("an outline over a picture", () => {
  it("is drawn where its vertices are, to a hundredth of a pixel", () => {
    const [casing] = drawn({ outlines: [TRIANGLE] });
    expect(casing).toMatchObject({
      tag: "polygon",
      attributes: { points: "200.00,200.00 220.00,200.00 200.00,220.00" },
    });
  });
  it("is drawn twice, the dark casing below the light core", () => {
    expect(classes(drawn({ outlines: [TRIANGLE] }))).toEqual(["casing outline ct", "core outline ct"]);
  });
  it.each([
    [{ slot: "SPECT" }, "core outline spect"],
    [{ ghost: true }, "core outline ct ghost"],
    [{ faulty: true }, "core outline ct  faulty"],
    [{ slot: "SPECT", ghost: true, faulty: true }, "core outline spect ghost faulty"],
  ] as [Partial<SceneOutline>, string][])(
    "with %j is named %s, so that style tells it apart",
    (change, name) => {
      expect(classes(drawn({ outlines: [{ ...TRIANGLE, ...change }] }))[1]).toBe(name);
    },
  );
  it("that is not closed yet is an open line", () => {
    expect(drawn({ outlines: [{ ...TRIANGLE, closed: false }] }).map(({ tag }) => tag)).toEqual([
      "polyline",
      "polyline",
    ]);
  });
  it("shows a handle at every vertex, the selected one larger", () => {
    const shapes = drawn({ outlines: [{ ...TRIANGLE, handles: true, selected: 1 }] });
    const circles = shapes.filter(
      ({ tag, attributes }) => tag === "circle" && attributes.class?.startsWith("core"),
    );
    expect(circles.map(({ attributes: { cx, cy, r } }) => [cx, cy, r])).toEqual([
      ["200", "200", "3"],
      ["220", "200", "5"],
      ["200", "220", "3"],
    ]);
  });
  it("holds no text at all: no area, no number (T23)", () => {
    const shapes = drawn({
      outlines: [{ ...TRIANGLE, handles: true }],
      crosshair: { point: [0, 0, 0], inPlane: true },
      marker: [1, 1, 1],
      cursor: [2, 2, 2],
    });
    expect(shapes.some(({ tag }) => tag === "text" || tag === "title")).toBe(false);
  });
});

describe("crosshair, cursor and marker", () => {
  it("leave a gap of six pixels about the point in every direction", () => {
    const lines = drawn({ crosshair: { point: [10, -20, 0], inPlane: true } }).filter(
      ({ tag }) => tag === "line",
    );
    expect(lines).toHaveLength(8);
    const starts = lines.map(({ attributes: { x1, y1 } }) => [Number(x1) - 220, Number(y1) - 160]);
    for (const [x, y] of starts) expect(Math.hypot(x as number, y as number)).toBe(6);
    expect(new Set(starts.map(String)).size).toBe(4);
  });
  it("reach beyond any pane as a crosshair, and a few pixels as a cursor", () => {
    const reach = (scene: Partial<Scene>): number =>
      Math.max(...drawn(scene).map(({ attributes: { x2 } }) => Number(x2) - 200));
    expect(reach({ crosshair: { point: [0, 0, 0], inPlane: true } })).toBe(4000);
    expect(reach({ cursor: [0, 0, 0] })).toBe(14);
  });
  it("name a crosshair off the shown plane", () => {
    expect(classes(drawn({ crosshair: { point: [0, 0, 0], inPlane: false } }))[0]).toBe(
      "casing crosshair away",
    );
    expect(classes(drawn({ crosshair: { point: [0, 0, 0], inPlane: true } }))[0]).toBe("casing crosshair");
  });
  it("show the lesion as a hollow ring of fixed size, whatever the zoom", () => {
    expect(drawn({ marker: [5, 5, 0] })[0]).toMatchObject({
      tag: "circle",
      attributes: { cx: "210", cy: "210", r: "12" },
    });
  });
  it("an empty scene leaves nothing behind", () => {
    expect(drawn({})).toEqual([]);
  });
});

describe("the labels of a pane", () => {
  const look: Look = protocolLook(undefined, caseFixture().series[0] as never);
  it.each([
    ["CT", -300, 1200, "C 450  W 1500"],
    ["CT", -1350, 150, "C −600  W 1500"],
    ["SPECT", 0, 700, "0–700"],
    ["WB-ANT", 0, 254.6, "0–255"],
    ["CT+SPECT", -160, 240, "C 40  W 400"],
  ])("of %s with %f to %f say %s", (role, lower, upper, text) => {
    expect(windowText({ ...look, lower, upper }, role)).toBe(text);
  });
  const facts = { id: "ct", role: "CT", title: "CT axial", letters: null } as const;
  const built = () => {
    let retries = 0;
    const dom = buildPaneDom(facts, () => {
      retries += 1;
    });
    const root = dom.root as unknown as PageElement;
    const child = (name: string): PageElement | undefined =>
      root.children.find(({ className }) => className === name);
    return { dom, root, child, retries: () => retries };
  };
  it("count slices from one, and name image and plane for tests that aim", () => {
    const { dom, root, child } = built();
    dom.label(30, 60, { position: [1, 2, 30], image: { sop_instance_uid: "2.25.1", frame: 4 } }, look, false);
    expect(child("pane-slice")?.textContent).toBe("31 / 60");
    expect(root.dataset).toMatchObject({ slice: "31", image: "2.25.1|4", plane: "[1,2,30]" });
    expect(root.attributes.get("aria-label")).toBe("CT axial, slice 31 of 60");
  });
  it("of one image count nothing", () => {
    const { dom, root, child } = built();
    dom.label(0, 1, { position: [0, 0, 0], image: null }, look, false);
    expect(child("pane-slice")?.textContent).toBe("");
    expect(root.attributes.get("aria-label")).toBe("CT axial");
  });
  it("of a fused pane say opacity and upper bound, or that the overlay is off", () => {
    const { dom, child } = built();
    const plane = { position: [0, 0, 0] as Vec3, image: null };
    dom.label(0, 9, plane, { ...look, opacity: 0.3, overlay_upper: 812.4, zoom: 1.25 }, true);
    expect(child("pane-window")?.textContent).toBe("30 % of 0–812  1.3×");
    dom.label(0, 9, plane, { ...look, overlay: false }, true);
    expect(child("pane-window")?.textContent).toBe("overlay off  1.0×");
  });
  it.each([
    ["empty", false, true, "note"],
    ["loading", false, true, "note"],
    ["ready", true, true, "note"],
    ["error", false, false, "alert"],
  ] as const)(
    "in state %s: cover hidden %s, retry hidden %s, read as %s",
    (state, isHidden, hasNoRetry, role) => {
      const { dom, root, child } = built();
      dom.setState(state, "why");
      const cover = child("pane-cover");
      expect(root.dataset.state).toBe(state);
      expect([cover?.hidden, cover?.children[1]?.hidden, cover?.attributes.get("role")]).toEqual([
        isHidden,
        hasNoRetry,
        role,
      ]);
    },
  );
  it("the retry button retries once a press", () => {
    const { child, retries } = built();
    child("pane-cover")?.children[1]?.dispatchEvent(new Event("click"));
    expect(retries()).toBe(1);
  });
});
