import type { Slot, Vec3 } from "../api/types.ts";
import { type Affine, applyAffine } from "./affine.ts";

/** What is drawn over a picture, in patient millimetres. */
export interface Scene {
  outlines: SceneOutline[];
  crosshair: { point: Vec3; inPlane: boolean } | null;
  marker: Vec3 | null;
  cursor: Vec3 | null;
}
export interface SceneOutline {
  vertices: Vec3[];
  slot: Slot;
  closed: boolean;
  ghost: boolean;
  faulty: boolean;
  handles: boolean;
  selected: number | null;
}
export const EMPTY_SCENE: Scene = { outlines: [], crosshair: null, marker: null, cursor: null };

const SVG = "http://www.w3.org/2000/svg";
const GAP = 6;
const RING = 12;

type Attributes = Record<string, string | number>;

function shape(name: string, attributes: Attributes): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

/** Everything is drawn twice, dark casing below light core, to be seen over any image. */
const cased = (name: string, attributes: Attributes, kind: string): SVGElement[] => [
  shape(name, { ...attributes, class: `casing ${kind}` }),
  shape(name, { ...attributes, class: `core ${kind}` }),
];

const kindOf = (outline: SceneOutline): string =>
  ["outline", outline.slot.toLowerCase(), outline.ghost ? "ghost" : "", outline.faulty ? "faulty" : ""].join(
    " ",
  );

function drawOutline(affine: Affine, outline: SceneOutline): SVGElement[] {
  const points = outline.vertices.map((vertex) => applyAffine(affine, vertex));
  const text = points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(" ");
  const lines = cased(outline.closed ? "polygon" : "polyline", { points: text }, kindOf(outline));
  if (!outline.handles) return lines;
  const handles = points.flatMap(([x, y], index) =>
    cased(
      "circle",
      { cx: x, cy: y, r: index === outline.selected ? 5 : 3 },
      index === outline.selected ? "handle selected" : "handle",
    ),
  );
  return [...lines, ...handles];
}

function drawCross([x, y]: [number, number], reach: number, kind: string): SVGElement[] {
  const arm = (dx: number, dy: number): SVGElement[] =>
    cased("line", { x1: x + dx * GAP, y1: y + dy * GAP, x2: x + dx * reach, y2: y + dy * reach }, kind);
  return [...arm(1, 0), ...arm(-1, 0), ...arm(0, 1), ...arm(0, -1)];
}

/** Replaces the overlay's content by the scene as seen through the affine. */
export function drawScene(svg: SVGSVGElement, affine: Affine, scene: Scene): void {
  const shapes: SVGElement[] = [];
  const { crosshair, marker, cursor } = scene;
  if (crosshair !== null) {
    const kind = crosshair.inPlane ? "crosshair" : "crosshair away";
    shapes.push(...drawCross(applyAffine(affine, crosshair.point), 4000, kind));
  }
  if (marker !== null) {
    const [cx, cy] = applyAffine(affine, marker);
    shapes.push(...cased("circle", { cx, cy, r: RING }, "marker"));
  }
  for (const outline of scene.outlines) shapes.push(...drawOutline(affine, outline));
  if (cursor !== null) shapes.push(...drawCross(applyAffine(affine, cursor), 14, "cursor"));
  svg.replaceChildren(...shapes);
}
