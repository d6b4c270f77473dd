import { describe, expect, it } from "vitest";
import type { Outline, Vec3 } from "../api/types.ts";
import {
  type BoundImage,
  cleanVertices,
  crossingEdges,
  insideEvenOdd,
  maskPixels,
  outlineProblems,
  pixelToWorld,
  planeDistance,
  projectToPlane,
  simplify,
  strokeToVertices,
  vertexProblems,
  worldToPixel,
} from "./geometry.ts";
import { golden } from "./golden_fixture.ts";

const CT: BoundImage = {
  rows: 256,
  columns: 256,
  spacing_mm: [1.953125, 1.953125],
  position: [-249.0234375, -249.0234375, 30],
  row_cosines: [1, 0, 0],
  column_cosines: [0, 1, 0],
  sop_instance_uid: "2.25.1",
  frame: 1,
  frame_of_reference_uid: "2.25.9",
};
const circle = (count: number, radius: number): Vec3[] =>
  Array.from({ length: count }, (_, k) => {
    const angle = (2 * Math.PI * k) / count;
    return [18 + radius * Math.cos(angle), 70 + radius * Math.sin(angle), 30];
  });
const shoelace = (vertices: Vec3[]): number =>
  Math.abs(
    vertices.reduce((sum, [x, y], k) => {
      const [nextX, nextY] = vertices[(k + 1) % vertices.length] as Vec3;
      return sum + x * nextY - nextX * y;
    }, 0) / 2,
  );

describe.each(golden.cases)(
  "the golden outline: $name",
  ({ image, vertices, row_column, mask_pixels, problems }) => {
    it("has the exact row and column coordinates", () => {
      vertices.forEach((vertex, k) => {
        const [row, column] = worldToPixel(image, vertex);
        expect(row).toBeCloseTo(row_column[k]?.[0] as number, 9);
        expect(column).toBeCloseTo(row_column[k]?.[1] as number, 9);
      });
    });
    it("holds exactly the listed pixel centres", () => {
      expect(maskPixels(image, row_column)).toEqual(mask_pixels);
    });
    it("shows exactly the listed problems", () => {
      expect(vertexProblems(image, vertices)).toEqual(problems);
    });
    it("comes back from pixel coordinates to its plane", () => {
      for (const vertex of vertices) {
        const back = pixelToWorld(image, worldToPixel(image, vertex));
        const flat = projectToPlane(image, vertex);
        back.forEach((value, axis) => {
          expect(value).toBeCloseTo(flat[axis] as number, 9);
        });
      }
    });
  },
);

describe("cleaning an outline", () => {
  it("drops the repetition of the first vertex at the end", () => {
    const ring = circle(8, 10);
    expect(cleanVertices([...ring, ring[0] as Vec3])).toHaveLength(8);
  });
  it("drops vertices closer than 0.01 mm to their predecessor", () => {
    expect(
      cleanVertices([
        [0, 0, 0],
        [0.009, 0, 0],
        [1, 0, 0],
        [1, 1, 0],
      ]),
    ).toHaveLength(3);
  });
  it("simplifies a stroke by no more than the tolerance", () => {
    const fine = circle(720, 18);
    const coarse = simplify(fine, 0.1);
    expect(coarse.length).toBeLessThan(60);
    for (const point of fine) {
      const away = Math.min(
        ...coarse.map((a, k) => segmentDistance(point, a, coarse[(k + 1) % coarse.length] as Vec3)),
      );
      expect(away).toBeLessThanOrEqual(0.1 + 1e-9);
    }
  });
  it("keeps the area of a freehand circle within 1.5 %", () => {
    const vertices = strokeToVertices(CT, circle(200, 18));
    expect(Math.abs(shoelace(vertices) / (Math.PI * 18 * 18) - 1)).toBeLessThan(0.015);
  });
  it("puts a stroke drawn in single precision exactly on the plane", () => {
    const stroke = circle(40, 9).map(([x, y, z]) => [x, y, z + 4.8e-6] as Vec3);
    for (const vertex of strokeToVertices(CT, stroke))
      expect(Math.abs(planeDistance(CT, vertex))).toBeLessThan(1e-9);
  });
});

function segmentDistance(p: Vec3, a: Vec3, b: Vec3): number {
  const [ux, uy] = [b[0] - a[0], b[1] - a[1]];
  const t = Math.max(0, Math.min(1, ((p[0] - a[0]) * ux + (p[1] - a[1]) * uy) / (ux * ux + uy * uy)));
  return Math.hypot(p[0] - a[0] - t * ux, p[1] - a[1] - t * uy);
}

describe("crossing edges", () => {
  it("finds both edges of a bow tie", () => {
    expect(
      crossingEdges([
        [0, 0],
        [4, 4],
        [0, 4],
        [4, 0],
      ]),
    ).toEqual([0, 2]);
  });
  it("allows neighbours to meet at their vertex", () => {
    expect(
      crossingEdges([
        [0, 0],
        [4, 0],
        [4, 4],
      ]),
    ).toEqual([]);
  });
  it("finds an edge folded back onto its neighbour", () => {
    expect(
      crossingEdges([
        [0, 0],
        [0, 6],
        [0, 3],
        [5, 3],
      ]),
    ).toContain(0);
  });
  it("finds an edge that only touches another", () => {
    expect(
      crossingEdges([
        [0, 0],
        [0, 6],
        [4, 6],
        [0, 3],
        [4, 0],
      ]).length,
    ).toBeGreaterThan(0);
  });
});

describe("an outline against the open case", () => {
  const outline = (change: Partial<Outline>): Outline => ({
    vertices: circle(24, 10),
    sop_instance_uid: "2.25.1",
    frame: 1,
    frame_of_reference_uid: "2.25.9",
    kind: "freehand",
    copy: null,
    ...change,
  });
  const images = { CT: [CT], SPECT: [] };

  it("is without problems on its own image", () => {
    expect(outlineProblems(images, "CT", outline({}))).toEqual([]);
  });
  it.each([
    ["another image", { sop_instance_uid: "2.25.2" }],
    ["another frame", { frame: 2 }],
    ["another frame of reference", { frame_of_reference_uid: null }],
  ])("belongs to the wrong image with %s", (_, change) => {
    expect(outlineProblems(images, "CT", outline(change))).toEqual(["wrong_image"]);
  });
  it("belongs to the wrong image in the other slot", () => {
    expect(outlineProblems(images, "SPECT", outline({}))).toEqual(["wrong_image"]);
  });
  it("survives ten thousand points in good time", () => {
    expect(outlineProblems(images, "CT", outline({ vertices: circle(10_000, 18) }))).toContain(
      "too_few_points",
    );
  });
  it("agrees with the area of the polygon on average", () => {
    const polygon = circle(90, 40).map((vertex) => worldToPixel(CT, vertex));
    const area = maskPixels(CT, polygon).length * 1.953125 ** 2;
    expect(Math.abs(area / (Math.PI * 1600) - 1)).toBeLessThan(0.02);
    expect(insideEvenOdd(polygon, worldToPixel(CT, [18, 70, 30]))).toBe(true);
  });
});
