/** The numbers of one figure, as the server sends them; the browser draws them and computes nothing. */
export interface PlotPoint {
  x: number | string;
  y: number;
  low?: number | null;
  high?: number | null;
  q1?: number | null;
  q3?: number | null;
}
export type LineStyle = "line" | "dots" | "step";
export interface PlotSeries {
  name: string;
  points: PlotPoint[];
  style?: LineStyle;
}
export type PlotKind =
  | "roc"
  | "calibration"
  | "decision"
  | "bars"
  | "forest"
  | "lasso_path"
  | "cv"
  | "box"
  | "heat"
  | "histogram";
export interface Figure {
  kind: PlotKind;
  title: string;
  x_label: string;
  y_label: string;
  series: PlotSeries[];
  marks?: PlotPoint[];
  note: string;
}

/** One row of a drawing: a point that knows its series. */
export interface Row {
  series: string;
  x: number | string;
  y: number;
  low: number;
  high: number;
  q1: number;
  q3: number;
  hasInterval: boolean;
}

export const rowsOf = (series: readonly PlotSeries[]): Row[] =>
  series.flatMap(({ name, points }) =>
    points
      .filter(({ y }) => Number.isFinite(y))
      .map(({ x, y, low, high, q1, q3 }) => ({
        series: name,
        x,
        y,
        low: low ?? y,
        high: high ?? y,
        q1: q1 ?? y,
        q3: q3 ?? y,
        hasInterval: low != null && high != null,
      })),
  );

/** Okabe and Ito's colours, told apart with every kind of colour vision; black and yellow left out. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f"];
const DASHES = ["", "6 3", "2 3", "8 3 2 3"];

/** Colour and dash by place: not by colour alone. */
export const colourOf = (place: number): string => COLOURS[place % COLOURS.length] as string;
export const dashOf = (place: number): string =>
  DASHES[Math.floor(place / COLOURS.length) % DASHES.length] as string;

const isFigure = (value: unknown): value is Figure =>
  typeof value === "object" &&
  value !== null &&
  "kind" in value &&
  typeof value.kind === "string" &&
  "series" in value &&
  Array.isArray(value.series);

/** Parsed numbers, or null: then the server's own picture stays. */
export const readFigure = (value: unknown): Figure | null => (isFigure(value) ? value : null);

/** How far each of several series stands from the middle of its row, in pixels. */
export const shiftOf = (place: number, n: number): number => 9 * (place - (n - 1) / 2);

/** Pixels that the longest of these labels needs beside the axis. */
export const roomFor = (labels: readonly string[]): number =>
  Math.min(280, 20 + Math.ceil(6.3 * Math.max(0, ...labels.map((label) => label.length))));

/** Names of categories on the axis, in the order they were sent, each once. */
export const categories = (rows: readonly Row[]): string[] => [...new Set(rows.map(({ x }) => String(x)))];

export const isLogAxis = (kind: PlotKind, rows: readonly Row[]): boolean =>
  (kind === "lasso_path" || kind === "cv") && rows.every(({ x }) => Number(x) > 0);

/** A decision curve far below zero says nothing; the axis shows what lies above −0.1. */
export function benefitDomain(rows: readonly Row[]): [number, number] {
  const top = Math.max(0.05, ...rows.map(({ y }) => y));
  return [-0.1, Math.ceil(top * 20) / 20];
}
