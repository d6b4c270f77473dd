import { describe, expect, it } from "vitest";
import type { Outline, Vec3 } from "../api/types.ts";
import {
  copyOutline,
  insertVertex,
  moveToSlice,
  moveVertex,
  pointsOutline,
  removeVertex,
  shiftOutline,
  toSend,
} from "./editing.ts";
import {
  type BoundImage,
  crossingEdges,
  type ImageGeometry,
  normalOf,
  planeDistance,
  projectToPlane,
  worldToPixel,
} from "./geometry.ts";
import { golden } from "./golden_fixture.ts";
import { along, distance } from "./vec.ts";

const bound = (image: ImageGeometry, change: Partial<BoundImage> = {}): BoundImage => ({
  ...image,
  sop_instance_uid: "2.25.1",
  frame: 1,
  frame_of_reference_uid: "2.25.9",
  ...change,
});
/** The same image, moved along its normal: a slice of the other modality in one space. */
const beside = (image: BoundImage, mm: number): BoundImage => ({
  ...image,
  position: along(image.position, normalOf(image), mm),
  sop_instance_uid: "2.25.2",
});
const flat = golden.cases.filter(
  ({ problems, vertices }) => !problems.includes("off_plane") && vertices.length >= 3,
);
const largest = (a: readonly Vec3[], b: readonly Vec3[]): number =>
  Math.max(...a.map((vertex, k) => distance(vertex, b[k] as Vec3)));

describe.each(flat)("copying and shifting the golden outline: $name", ({ image, vertices }) => {
  const source = bound(image);
  const outline: Outline = {
    ...pointsOutline(source, []),
    vertices: vertices.map((v) => projectToPlane(source, v)),
  };
  const target = beside(source, -1.1339);
  const copied = copyOutline(outline, { slot: "SPECT", revision: 4, image: source }, target);

  it("keeps row and column and lands on the target plane", () => {
    copied.vertices.forEach((vertex, k) => {
      const [row, column] = worldToPixel(source, outline.vertices[k] as Vec3);
      const [newRow, newColumn] = worldToPixel(target, vertex);
      expect(newRow).toBeCloseTo(row, 8);
      expect(newColumn).toBeCloseTo(column, 8);
      expect(Math.abs(planeDistance(target, vertex))).toBeLessThan(1e-9);
    });
  });
  it("records the signed distance along the source's normal", () => {
    expect(copied.copy).toMatchObject({ source: "SPECT", source_revision: 4, slices_moved: 0 });
    expect(copied.copy?.plane_distance_mm).toBeCloseTo(-1.1339, 9);
  });
  it("copied back is where it was", () => {
    const back = copyOutline(copied, { slot: "CT", revision: 1, image: target }, source);
    expect(largest(back.vertices, outline.vertices)).toBeLessThan(1e-9);
    expect(back.copy?.plane_distance_mm).toBeCloseTo(1.1339, 9);
  });
  it("equals source plus recorded shift within 0.01 mm, as sent, after a hundred fine steps", () => {
    let shifted = copied;
    for (let k = 0; k < 100; k += 1) shifted = shiftOutline(shifted, target, 0.1, -0.1);
    const [right, down] = toSend(shifted)?.copy?.shift_mm ?? [0, 0];
    expect([right, down]).toEqual([10, -10]);
    const wanted = outline.vertices.map((vertex) =>
      along(
        along(along(vertex, normalOf(source), -1.1339), target.row_cosines, right),
        target.column_cosines,
        down,
      ),
    );
    expect(largest(toSend(shifted)?.vertices ?? [], wanted)).toBeLessThan(0.01);
  });
  it("moved up three slices and down again is where it was, with the record of it", () => {
    const up = [1, 2, 3].map((k) => beside(source, -1.1339 + 2.5 * k));
    const path = [target, ...up, ...up.slice(0, -1).reverse(), target];
    let moved = copied;
    for (let k = 1; k < path.length; k += 1)
      moved = moveToSlice(moved, path[k - 1] as BoundImage, path[k] as BoundImage, k <= 3 ? 1 : -1);
    expect(largest(moved.vertices, copied.vertices)).toBeLessThan(1e-9);
    expect(moved.copy).toMatchObject({ slices_moved: 0, edited_after_copy: false });
    expect(moved.copy?.plane_distance_mm).toBeCloseTo(-1.1339, 9);
  });
  it("a vertex put in half-way changes no crossing, and taken out again restores the outline", () => {
    outline.vertices.forEach((_, k) => {
      const more = insertVertex(outline, k);
      expect(more.vertices).toHaveLength(outline.vertices.length + 1);
      expect(removeVertex(more, k + 1).vertices).toEqual(outline.vertices);
    });
    const polygon = outline.vertices.map((vertex) => worldToPixel(source, vertex));
    const refined = insertVertex(outline, 0).vertices.map((vertex) => worldToPixel(source, vertex));
    if (polygon.length >= 4)
      expect(crossingEdges(refined).length > 0).toBe(crossingEdges(polygon).length > 0);
  });
  it("any edit of a vertex marks a copy as edited and leaves the original alone", () => {
    for (const changed of [moveVertex(copied, 0, [0, 0, 0]), insertVertex(copied, 0)])
      expect(changed.copy?.edited_after_copy).toBe(true);
    expect(copied.copy?.edited_after_copy).toBe(false);
    expect(moveVertex(outline, 0, [0, 0, 0]).copy).toBeNull();
  });
});
