import {
  axisX,
  axisY,
  cell,
  dot,
  frame,
  gridX,
  gridY,
  line,
  type Markish,
  type PlotOptions,
  plot,
  rectY,
  ruleX,
  ruleY,
} from "@observablehq/plot";
import {
  benefitDomain,
  categories,
  colourOf,
  dashOf,
  type Figure,
  isLogAxis,
  type PlotSeries,
  type Row,
  roomFor,
  rowsOf,
  shiftOf,
} from "./figure.ts";

const WIDTH = 460;
const HEIGHT = 360;

const DIAGONAL: [number, number][] = [
  [0, 0],
  [1, 1],
];

function seriesMarks(series: PlotSeries, place: number, isSmall: boolean): Markish[] {
  const rows = rowsOf([series]);
  const stroke = colourOf(place);
  const intervals = rows.filter(({ hasInterval }) => hasInterval);
  const whiskers = ruleX(intervals, { x: "x", y1: "low", y2: "high", stroke, strokeWidth: 1.5 });
  if (series.style === "dots") {
    return [
      whiskers,
      dot(rows, { x: "x", y: "y", r: isSmall ? 2.5 : 4, fill: stroke, stroke: "white", strokeWidth: 0.5 }),
    ];
  }
  return [
    whiskers,
    line(rows, {
      x: "x",
      y: "y",
      stroke,
      strokeWidth: 2,
      strokeDasharray: dashOf(place),
      curve: series.style === "step" ? "step-after" : "linear",
    }),
  ];
}

const numeric = (figure: Figure, rows: Row[]): PlotOptions => {
  const isUnit = figure.kind === "roc" || figure.kind === "calibration";
  const isLog = isLogAxis(figure.kind, rows);
  return {
    x: { label: figure.x_label, type: isLog ? "log" : "linear", ...(isUnit ? { domain: [0, 1] } : {}) },
    y: {
      label: figure.y_label,
      ...(isUnit ? { domain: [0, 1] } : {}),
      ...(figure.kind === "decision" ? { domain: benefitDomain(rows), clamp: false } : {}),
    },
    marks: [
      gridX({ strokeOpacity: 0.12 }),
      gridY({ strokeOpacity: 0.12 }),
      frame({ strokeOpacity: 0.4 }),
      ...(isUnit
        ? [line(DIAGONAL, { stroke: "currentColor", strokeOpacity: 0.5, strokeDasharray: "4 4" })]
        : []),
      ...(figure.kind === "decision" ? [ruleY([0], { strokeOpacity: 0.5 })] : []),
      ...figure.series.flatMap((series, place) => seriesMarks(series, place, rows.length > 60)),
    ],
    clip: true,
  };
};

/** Whiskers, the box where there are quartiles, and the value of one series, beside the others of its row. */
function rowMarks(series: PlotSeries, place: number, n: number, isBox: boolean): Markish[] {
  const rows = rowsOf([series]);
  const stroke = colourOf(place);
  const dy = shiftOf(place, n);
  return [
    ruleY(rows, { y: "x", x1: "low", x2: "high", dy, stroke, strokeWidth: isBox ? 1.2 : 2 }),
    ...(isBox
      ? [ruleY(rows, { y: "x", x1: "q1", x2: "q3", dy, stroke, strokeWidth: 7, strokeOpacity: 0.6 })]
      : []),
    dot(rows, { y: "x", x: "y", dy, r: isBox ? 3 : 4.5, fill: stroke, stroke: "white", strokeWidth: 0.5 }),
  ];
}

const categorical = (figure: Figure, rows: Row[]): PlotOptions => ({
  marginLeft: roomFor(categories(rows)),
  height: Math.max(140, 60 + 30 * categories(rows).length),
  x: { label: figure.y_label },
  y: { label: null, domain: categories(rows), type: "band" },
  marks: [
    gridX({ strokeOpacity: 0.12 }),
    ...(figure.kind === "forest" ? [ruleX([0], { strokeOpacity: 0.5, strokeDasharray: "4 4" })] : []),
    ...figure.series.flatMap((series, place) =>
      rowMarks(series, place, figure.series.length, figure.kind === "box"),
    ),
    axisX({}),
    axisY({ label: null, tickSize: 0 }),
  ],
});

const histogram = (figure: Figure, rows: Row[]): PlotOptions => ({
  x: { label: figure.x_label },
  y: { label: figure.y_label },
  marks: [
    gridY({ strokeOpacity: 0.12 }),
    ...figure.series.map(({ name }, place) =>
      rectY(
        rows.filter(({ series }) => series === name),
        { x1: "low", x2: "high", y: "y", fill: colourOf(place), fillOpacity: 0.6 },
      ),
    ),
    ruleY([0]),
  ],
});

const heat = (figure: Figure, rows: Row[]): PlotOptions => ({
  marginLeft: 150,
  marginBottom: 120,
  height: 160 + 26 * figure.series.length,
  x: { label: null, type: "band", domain: figure.series.map(({ name }) => name), tickRotate: -60 },
  y: { label: null, type: "band", domain: figure.series.map(({ name }) => name) },
  color: { scheme: "RdBu", domain: [1, -1], legend: false },
  marks: [cell(rows, { x: "x", y: "series", fill: "y" })],
});

/** What is drawn for a figure. */
export function optionsFor(figure: Figure): PlotOptions {
  const rows = rowsOf(figure.series);
  const byKind: Partial<Record<Figure["kind"], (figure: Figure, rows: Row[]) => PlotOptions>> = {
    bars: categorical,
    box: categorical,
    forest: categorical,
    histogram,
    heat,
  };
  const own = (byKind[figure.kind] ?? numeric)(figure, rows);
  return { width: WIDTH, height: HEIGHT, ariaLabel: figure.title, ariaDescription: figure.note, ...own };
}

/** The figure as SVG without the style element that a strict policy would refuse. */
export function drawFigure(figure: Figure): Element {
  const drawn = plot(optionsFor(figure));
  for (const style of drawn.querySelectorAll("style")) style.remove();
  drawn.removeAttribute("style");
  // the whole is one image with a name; its groups may not carry names of their own
  for (const part of drawn.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label");
  drawn.setAttribute("role", "img");
  return drawn;
}

const SVG = "http://www.w3.org/2000/svg";

function sample(series: PlotSeries, place: number): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 28 10");
  svg.setAttribute("width", "28");
  svg.setAttribute("height", "10");
  svg.setAttribute("aria-hidden", "true");
  const isDots = series.style === "dots";
  const shape = document.createElementNS(SVG, isDots ? "circle" : "path");
  const attributes = isDots
    ? { cx: "14", cy: "5", r: "4", fill: colourOf(place) }
    : { d: "M0 5H28", stroke: colourOf(place), "stroke-width": "3", "stroke-dasharray": dashOf(place) };
  for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
  svg.append(shape);
  return svg;
}

/** Names of the series beside a sample of their line; nothing for a single series. */
export function drawLegend(figure: Figure): HTMLElement | null {
  if (figure.series.length < 2 || figure.kind === "heat") return null;
  const list = document.createElement("ul");
  list.className = "plot-legend";
  for (const [place, series] of figure.series.entries()) {
    const item = document.createElement("li");
    item.append(sample(series, place), ` ${series.name}`);
    list.append(item);
  }
  return list;
}
