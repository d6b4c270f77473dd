import type { Outline, Slot, Vec3 } from "../api/types.ts";
import {
  type BoundImage,
  cleanVertices,
  normalOf,
  planeDistance,
  projectToPlane,
  strokeToVertices,
} from "./geometry.ts";
import { add, along, distance, dot, scale } from "./vec.ts";

const PARALLEL = 0.9999;

const bind = (image: BoundImage, vertices: Vec3[], kind: Outline["kind"]): Outline => ({
  vertices,
  sop_instance_uid: image.sop_instance_uid,
  frame: image.frame,
  frame_of_reference_uid: image.frame_of_reference_uid,
  kind,
  copy: null,
});

export const freehandOutline = (image: BoundImage, stroke: readonly Vec3[]): Outline =>
  bind(image, strokeToVertices(image, stroke), "freehand");

export const pointsOutline = (image: BoundImage, points: readonly Vec3[]): Outline =>
  bind(image, cleanVertices(points.map((point) => projectToPlane(image, point))), "points");

const edited = (outline: Outline, vertices: Vec3[]): Outline => ({
  ...outline,
  vertices,
  copy: outline.copy === null ? null : { ...outline.copy, edited_after_copy: true },
});

export const moveVertex = (outline: Outline, index: number, to: Vec3): Outline =>
  edited(
    outline,
    outline.vertices.map((vertex, k) => (k === index ? to : vertex)),
  );

/** Middle of the vertices: where a view of the outline is centred. */
export const middleOf = ({ vertices }: Outline): Vec3 =>
  scale(
    vertices.reduce((sum, vertex) => add(sum, vertex)),
    1 / vertices.length,
  );

/** A new vertex half-way between the given one and its successor. */
export function insertVertex(outline: Outline, index: number): Outline {
  const { vertices } = outline;
  const here = vertices[index];
  const next = vertices[(index + 1) % vertices.length];
  if (here === undefined || next === undefined) return outline;
  const middle = scale(add(here, next), 0.5);
  return edited(outline, [...vertices.slice(0, index + 1), middle, ...vertices.slice(index + 1)]);
}

/** Never leaves fewer than three vertices. */
export const removeVertex = (outline: Outline, index: number): Outline =>
  outline.vertices.length <= 3
    ? outline
    : edited(
        outline,
        outline.vertices.filter((_, k) => k !== index),
      );

/** Moves the whole outline in its plane; a copied outline records the shift [along row, along column] in mm. */
export function shiftOutline(outline: Outline, image: BoundImage, rowMm: number, columnMm: number): Outline {
  const by = add(scale(image.row_cosines, rowMm), scale(image.column_cosines, columnMm));
  const { copy } = outline;
  return {
    ...outline,
    vertices: outline.vertices.map((vertex) => add(vertex, by)),
    copy:
      copy === null ? null : { ...copy, shift_mm: [copy.shift_mm[0] + rowMm, copy.shift_mm[1] + columnMm] },
  };
}

/** Moves the outline onto another slice of its own series, in-plane coordinates unchanged. */
export function moveToSlice(outline: Outline, from: BoundImage, to: BoundImage, slices: number): Outline {
  const { copy } = outline;
  const step = planeDistance(from, to.position);
  return {
    ...bind(
      to,
      outline.vertices.map((vertex) => projectToPlane(to, vertex)),
      outline.kind,
    ),
    copy:
      copy === null
        ? null
        : {
            ...copy,
            slices_moved: copy.slices_moved + slices,
            plane_distance_mm: copy.plane_distance_mm + step,
          },
  };
}

/** Why an outline of one image cannot be copied to images of another series; null if it can. */
export function copyRefusal(from: BoundImage, targets: readonly BoundImage[]): string | null {
  const first = targets[0];
  if (first === undefined) return "The other modality has no images with a position.";
  if (from.frame_of_reference_uid !== first.frame_of_reference_uid)
    return "CT and SPECT do not share a frame of reference.";
  return Math.abs(dot(normalOf(from), normalOf(first))) < PARALLEL
    ? "The slices of CT and SPECT are not parallel."
    : null;
}

/** Target slice of a copy: least distance from the source plane; on a tie nearer to the lesion, then lower. */
export function copyTarget(from: BoundImage, targets: readonly BoundImage[], lesion: Vec3): number {
  const rank = (index: number): [number, number] => {
    const target = targets[index] as BoundImage;
    return [Math.abs(planeDistance(from, target.position)), Math.abs(planeDistance(target, lesion))];
  };
  let best = 0;
  for (let index = 1; index < targets.length; index += 1) {
    const [away, fromLesion] = rank(index);
    const [bestAway, bestFromLesion] = rank(best);
    const isTie = Math.abs(away - bestAway) < 1e-6;
    if ((!isTie && away < bestAway) || (isTie && fromLesion < bestFromLesion - 1e-6)) best = index;
  }
  return best;
}

/** The outline on the target image: in-plane patient coordinates kept, moved along the normal. */
export function copyOutline(
  outline: Outline,
  source: { slot: Slot; revision: number; image: BoundImage },
  target: BoundImage,
): Outline {
  const normal = normalOf(source.image);
  const away = planeDistance(source.image, target.position);
  return {
    ...bind(
      target,
      outline.vertices.map((vertex) => projectToPlane(target, along(vertex, normal, away))),
      outline.kind,
    ),
    copy: {
      source: source.slot,
      source_revision: source.revision,
      plane_distance_mm: away,
      shift_mm: [0, 0],
      slices_moved: 0,
      edited_after_copy: false,
    },
  };
}

/** Index of the vertex nearest to a point, if it lies within `reach_mm`. */
export function vertexAt(outline: Outline, point: Vec3, reach_mm: number): number | null {
  let best: number | null = null;
  let least = reach_mm;
  outline.vertices.forEach((vertex, index) => {
    const away = distance(vertex, point);
    if (away <= least) [best, least] = [index, away];
  });
  return best;
}

const round4 = (value: number): number => Math.round(value * 1e4) / 1e4;

/** The outline as sent: four decimals, nothing computed. */
export const toSend = (outline: Outline | null): Outline | null =>
  outline === null
    ? null
    : {
        ...outline,
        vertices: outline.vertices.map(([x, y, z]) => [round4(x), round4(y), round4(z)]),
        copy:
          outline.copy === null
            ? null
            : {
                ...outline.copy,
                plane_distance_mm: round4(outline.copy.plane_distance_mm),
                shift_mm: [round4(outline.copy.shift_mm[0]), round4(outline.copy.shift_mm[1])],
              },
      };
