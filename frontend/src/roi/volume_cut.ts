import type { SeriesDocument, Vec3 } from "../api/types.ts";
import { along, cross, dot, subtract } from "./vec.ts";

export type FusedPlane = "axial" | "sagittal" | "coronal";

/** Directions of a series in patient space; null for planar images, which have none. */
export const axesOf = (series: SeriesDocument): { right: Vec3; down: Vec3; normal: Vec3 } | null => {
  const c = series.orientation;
  if (c === null) return null;
  const right: Vec3 = [c[0], c[1], c[2]];
  const down: Vec3 = [c[3], c[4], c[5]];
  return { right, down, normal: cross(right, down) };
};

export interface Cut {
  normal: Vec3;
  right: Vec3;
  down: Vec3;
  count: number;
  step_mm: number;
}

/** How a plane family cuts the CT grid; slices ascend along head, patient's left, back. */
export function cutOf(ct: SeriesDocument, plane: FusedPlane): Cut | null {
  const frame = axesOf(ct);
  if (frame === null) return null;
  const { right, down, normal } = frame;
  const step = ct.slice_spacing_mm ?? 1;
  const up: Vec3 = [-normal[0], -normal[1], -normal[2]];
  const cuts: Record<FusedPlane, Cut> = {
    axial: { normal, right, down, count: ct.images.length, step_mm: step },
    sagittal: {
      normal: right,
      right: down,
      down: up,
      count: ct.pixel.columns,
      step_mm: ct.spacing_mm[1],
    },
    coronal: {
      normal: down,
      right,
      down: up,
      count: ct.pixel.rows,
      step_mm: ct.spacing_mm[0],
    },
  };
  return cuts[plane];
}

/** Centre of each cut, in ascending order; a cut passes through grid points of the CT volume. */
export function cutPositions(ct: SeriesDocument, cut: Cut): Vec3[] {
  const first = ct.images[0]?.position ?? [0, 0, 0];
  const centre = volumeCentre(ct, cut, first);
  const start = dot(subtract(first, centre), cut.normal);
  return Array.from({ length: cut.count }, (_, k) => along(centre, cut.normal, start + k * cut.step_mm));
}

function volumeCentre(ct: SeriesDocument, cut: Cut, first: Vec3): Vec3 {
  const frame = axesOf(ct);
  if (frame === null) return first;
  const half = (count: number, step: number): number => ((count - 1) * step) / 2;
  const acrossRow = along(first, frame.right, half(ct.pixel.columns, ct.spacing_mm[1]));
  const acrossBoth = along(acrossRow, frame.down, half(ct.pixel.rows, ct.spacing_mm[0]));
  return along(acrossBoth, frame.normal, half(ct.images.length, ct.slice_spacing_mm ?? cut.step_mm));
}
