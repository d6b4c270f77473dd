import type { Outline, SeriesDocument, Slot, Vec3 } from "../api/types.ts";
import { add, cross, distance, dot, scale, subtract } from "./vec.ts";

/** One image in patient space: pixel centres lie at integer (row, column). */
export interface ImageGeometry {
  rows: number;
  columns: number;
  spacing_mm: [number, number];
  position: Vec3;
  row_cosines: Vec3;
  column_cosines: Vec3;
}
export interface BoundImage extends ImageGeometry {
  sop_instance_uid: string;
  frame: number;
  frame_of_reference_uid: string | null;
}
export type RowColumn = [number, number];

export const MAX_VERTICES = 2000;
export const PLANE_TOLERANCE_MM = 0.01;
const REPEAT_MM = 0.01;
const CLOSING_MM = 1e-6;

export const normalOf = (image: ImageGeometry): Vec3 => cross(image.row_cosines, image.column_cosines);

export const planeDistance = (image: ImageGeometry, point: Vec3): number =>
  dot(subtract(point, image.position), normalOf(image));

export function worldToPixel(image: ImageGeometry, point: Vec3): RowColumn {
  const offset = subtract(point, image.position);
  return [
    dot(offset, image.column_cosines) / image.spacing_mm[0],
    dot(offset, image.row_cosines) / image.spacing_mm[1],
  ];
}

export function pixelToWorld(image: ImageGeometry, [row, column]: RowColumn): Vec3 {
  const right = scale(image.row_cosines, column * image.spacing_mm[1]);
  const down = scale(image.column_cosines, row * image.spacing_mm[0]);
  return add(add(image.position, right), down);
}

/** The point of the image plane nearest to `point`. */
export const projectToPlane = (image: ImageGeometry, point: Vec3): Vec3 =>
  subtract(point, scale(normalOf(image), planeDistance(image, point)));

/** Geometry of every image of a series that has positions, in the served order. */
export function imagesOf(series: SeriesDocument): BoundImage[] {
  const cosines = series.orientation;
  if (cosines === null) return [];
  return series.images.flatMap((image) =>
    image.position === null
      ? []
      : [
          {
            rows: series.pixel.rows,
            columns: series.pixel.columns,
            spacing_mm: series.spacing_mm,
            position: image.position,
            row_cosines: [cosines[0], cosines[1], cosines[2]] as Vec3,
            column_cosines: [cosines[3], cosines[4], cosines[5]] as Vec3,
            sop_instance_uid: image.sop_instance_uid,
            frame: image.frame,
            frame_of_reference_uid: series.frame_of_reference_uid,
          },
        ],
  );
}

/** The closing repetition and vertices on top of their predecessor are dropped. */
export function cleanVertices(vertices: readonly Vec3[]): Vec3[] {
  const kept: Vec3[] = [];
  for (const vertex of vertices) {
    const last = kept.at(-1);
    if (last === undefined || distance(last, vertex) >= REPEAT_MM) kept.push(vertex);
  }
  while (kept.length > 1 && distance(kept[0] as Vec3, kept.at(-1) as Vec3) <= CLOSING_MM) kept.pop();
  return kept;
}

const distanceToSegment = (p: Vec3, a: Vec3, b: Vec3): number => {
  const edge = subtract(b, a);
  const length2 = dot(edge, edge);
  const t = length2 === 0 ? 0 : Math.min(1, Math.max(0, dot(subtract(p, a), edge) / length2));
  return distance(p, add(a, scale(edge, t)));
};

function farthest(points: readonly Vec3[], first: number, last: number): [number, number] {
  let index = -1;
  let worst = 0;
  for (let k = first + 1; k < last; k += 1) {
    const d = distanceToSegment(points[k] as Vec3, points[first] as Vec3, points[last] as Vec3);
    if (d > worst) [index, worst] = [k, d];
  }
  return [index, worst];
}

/** Douglas–Peucker on an open polyline: no dropped point lies farther than `tolerance_mm` from the result. */
export function simplify(points: readonly Vec3[], tolerance_mm: number): Vec3[] {
  const keep = new Set([0, points.length - 1]);
  const spans: [number, number][] = [[0, points.length - 1]];
  for (let span = spans.pop(); span !== undefined; span = spans.pop()) {
    const [index, worst] = farthest(points, span[0], span[1]);
    if (index < 0 || worst <= tolerance_mm) continue;
    keep.add(index);
    spans.push([span[0], index], [index, span[1]]);
  }
  return points.filter((_, k) => keep.has(k));
}

/** A raw freehand stroke as stored: on the plane, simplified by at most 1/20 native pixel, cleaned. */
export function strokeToVertices(image: ImageGeometry, stroke: readonly Vec3[]): Vec3[] {
  const onPlane = stroke.map((point) => projectToPlane(image, point));
  const tolerance = Math.min(...image.spacing_mm) / 20;
  return cleanVertices(onPlane.length < 3 ? onPlane : simplify(onPlane, tolerance));
}

const orient = (a: RowColumn, b: RowColumn, c: RowColumn): number =>
  Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));

const within = (a: RowColumn, b: RowColumn, p: RowColumn): boolean =>
  Math.min(a[0], b[0]) <= p[0] &&
  p[0] <= Math.max(a[0], b[0]) &&
  Math.min(a[1], b[1]) <= p[1] &&
  p[1] <= Math.max(a[1], b[1]);

function segmentsMeet(a: RowColumn, b: RowColumn, c: RowColumn, d: RowColumn): boolean {
  const [o1, o2, o3, o4] = [orient(a, b, c), orient(a, b, d), orient(c, d, a), orient(c, d, b)];
  if (o1 !== o2 && o3 !== o4) return true;
  return (
    (o1 === 0 && within(a, b, c)) ||
    (o2 === 0 && within(a, b, d)) ||
    (o3 === 0 && within(c, d, a)) ||
    (o4 === 0 && within(c, d, b))
  );
}

/** Neighbours share a vertex by right; they cross only by folding back onto each other. */
const foldsBack = (a: RowColumn, shared: RowColumn, c: RowColumn): boolean =>
  orient(a, shared, c) === 0 &&
  (a[0] - shared[0]) * (c[0] - shared[0]) + (a[1] - shared[1]) * (c[1] - shared[1]) > 0;

/** Indices of the first vertex of every edge that meets another edge elsewhere than at a shared vertex. */
export function crossingEdges(polygon: readonly RowColumn[]): number[] {
  const n = polygon.length;
  const at = (k: number): RowColumn => polygon[k % n] as RowColumn;
  const faulty = new Set<number>();
  for (let i = 0; i < n; i += 1) {
    for (let j = i + 1; j < n; j += 1) {
      const next = j === i + 1;
      const last = i === 0 && j === n - 1;
      const meets = next
        ? foldsBack(at(i), at(j), at(j + 1))
        : last
          ? foldsBack(at(j), at(0), at(1))
          : segmentsMeet(at(i), at(i + 1), at(j), at(j + 1));
      if (meets) faulty.add(i).add(j);
    }
  }
  return [...faulty].sort((a, b) => a - b);
}

export function insideEvenOdd(polygon: readonly RowColumn[], [row, column]: RowColumn): boolean {
  let inside = false;
  polygon.forEach(([r1, c1], k) => {
    const [r2, c2] = polygon[(k + 1) % polygon.length] as RowColumn;
    if (r1 > row !== r2 > row && column < c1 + ((row - r1) / (r2 - r1)) * (c2 - c1)) inside = !inside;
  });
  return inside;
}

/** Pixels [row, column] of the image whose centres lie inside the polygon, in reading order. */
export function maskPixels(image: ImageGeometry, polygon: readonly RowColumn[]): RowColumn[] {
  const bound = (values: number[], size: number): [number, number] => [
    Math.max(0, Math.ceil(Math.min(...values))),
    Math.min(size - 1, Math.floor(Math.max(...values))),
  ];
  const [top, bottom] = bound(
    polygon.map((p) => p[0]),
    image.rows,
  );
  const [left, right] = bound(
    polygon.map((p) => p[1]),
    image.columns,
  );
  const pixels: RowColumn[] = [];
  for (let row = top; row <= bottom; row += 1) {
    for (let column = left; column <= right; column += 1) {
      if (insideEvenOdd(polygon, [row, column])) pixels.push([row, column]);
    }
  }
  return pixels;
}

const isOutside = (image: ImageGeometry, [row, column]: RowColumn): boolean =>
  row < -0.5 || column < -0.5 || row > image.rows - 0.5 || column > image.columns - 0.5;

const isBoundTo = (image: BoundImage, outline: Outline): boolean =>
  image.sop_instance_uid === outline.sop_instance_uid &&
  image.frame === outline.frame &&
  image.frame_of_reference_uid === outline.frame_of_reference_uid;

const distinctCount = (vertices: readonly Vec3[]): number =>
  new Set(vertices.map((v) => v.map((x) => x.toFixed(2)).join())).size;

/** Faults of vertices on one image, in the order of the server's list. */
export function vertexProblems(image: ImageGeometry, vertices: readonly Vec3[]): string[] {
  const polygon = vertices.map((vertex) => worldToPixel(image, vertex));
  const found: string[] = [];
  const isCountable = distinctCount(vertices) >= 3 && vertices.length <= MAX_VERTICES;
  if (!isCountable) found.push("too_few_points");
  else if (crossingEdges(polygon).length > 0) found.push("self_intersection");
  if (vertices.some((v) => Math.abs(planeDistance(image, v)) > PLANE_TOLERANCE_MM)) found.push("off_plane");
  if (polygon.some((p) => isOutside(image, p))) found.push("outside_image");
  if (maskPixels(image, polygon).length === 0) found.push("too_small");
  return found;
}

/** Faults of a slot's outline against the images of the open case. */
export function outlineProblems(images: Record<Slot, BoundImage[]>, slot: Slot, outline: Outline): string[] {
  const image = images[slot].find((candidate) => isBoundTo(candidate, outline));
  return image === undefined ? ["wrong_image"] : vertexProblems(image, outline.vertices);
}
