import type { Vec3 } from "../api/types.ts";

/** World millimetres to canvas pixels: two rows of four. */
export type Affine = [Vec3, number, Vec3, number];

type WorldToCanvas = (point: Vec3) => ArrayLike<number>;

/** The affine map a viewport applies, read off at the origin and one step along each axis. */
export function affineOf(worldToCanvas: WorldToCanvas): Affine {
  const at = (point: Vec3): [number, number] => {
    const canvas = worldToCanvas(point);
    return [Number(canvas[0]), Number(canvas[1])];
  };
  const reach = 100;
  const origin = at([0, 0, 0]);
  const steps = [at([reach, 0, 0]), at([0, reach, 0]), at([0, 0, reach])];
  const row = (k: 0 | 1): Vec3 => steps.map((step) => (step[k] - origin[k]) / reach) as Vec3;
  return [row(0), origin[0], row(1), origin[1]];
}

export const scaleAffine = ([rowX, x, rowY, y]: Affine, k: number): Affine => [
  [rowX[0] * k, rowX[1] * k, rowX[2] * k],
  x * k,
  [rowY[0] * k, rowY[1] * k, rowY[2] * k],
  y * k,
];

/**
 * What a viewport's canvas coordinates must be multiplied with to be CSS pixels. The toolkit divides by the device
 * pixel ratio once too often where it draws stacks on the CPU; the point it was told to show in the middle tells.
 */
export function canvasScale(affine: Affine, middle: Vec3, size: [number, number]): number {
  const [x, y] = applyAffine(affine, middle);
  const k = Math.max(...size) / 2 / (size[0] >= size[1] ? x : y);
  return Number.isFinite(k) && k > 1.02 ? k : 1;
}

export const applyAffine = ([rowX, x, rowY, y]: Affine, p: Vec3): [number, number] => [
  rowX[0] * p[0] + rowX[1] * p[1] + rowX[2] * p[2] + x,
  rowY[0] * p[0] + rowY[1] * p[1] + rowY[2] * p[2] + y,
];

/** CSS pixels per millimetre along the canvas's x axis. */
export const pixelsPerMm = ([rowX]: Affine): number => Math.hypot(...rowX);

/** The 2 x 4 matrix as published on the pane. */
export const affineText = ([rowX, x, rowY, y]: Affine): string =>
  JSON.stringify([
    [...rowX, x],
    [...rowY, y],
  ]);
