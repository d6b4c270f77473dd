import type { Vec3 } from "../api/types.ts";
import { along, dot, subtract } from "./vec.ts";

/** The focus point after its pane was scrolled to the plane through `plane` with unit normal `normal`. */
export const focusOnPlane = (focus: Vec3, plane: Vec3, normal: Vec3): Vec3 =>
  along(focus, normal, dot(subtract(plane, focus), normal));

/** Index of the position nearest to the focus along the normal; the lower index on a tie. */
export function nearestSlice(positions: readonly Vec3[], normal: Vec3, focus: Vec3): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  positions.forEach((position, index) => {
    const away = Math.abs(dot(subtract(position, focus), normal));
    if (away < least - 1e-9) [best, least] = [index, away];
  });
  return best;
}

/** Order of loading: outwards from the first, alternating sides, each index once. */
export function outwards(count: number, first: number): number[] {
  const order = [first];
  for (let step = 1; step < count; step += 1) {
    if (first + step < count) order.push(first + step);
    if (first - step >= 0) order.push(first - step);
  }
  return order.slice(0, count);
}

/** Patient letters of a direction: the dominant axis first, a second one if it matters. */
export function directionLetters(direction: Vec3): string {
  const names: [string, string][] = [
    ["L", "R"],
    ["P", "A"],
    ["H", "F"],
  ];
  return direction
    .map((value, axis) => ({
      size: Math.abs(value),
      name: (names[axis] as [string, string])[value > 0 ? 0 : 1],
    }))
    .filter(({ size }) => size > 0.3)
    .sort((a, b) => b.size - a.size)
    .slice(0, 2)
    .map(({ name }) => name)
    .join("");
}
