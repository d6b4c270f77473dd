import { describe, expect, it } from "vitest";
import { optionsFor } from "./draw.ts";
import {
  benefitDomain,
  categories,
  colourOf,
  dashOf,
  type Figure,
  isLogAxis,
  type PlotKind,
  readFigure,
  rowsOf,
} from "./figure.ts";

const figure = (kind: PlotKind, change: Partial<Figure> = {}): Figure => ({
  kind,
  title: "ROC curves",
  x_label: "1 − specificity",
  y_label: "Sensitivity",
  series: [
    {
      name: "CT",
      points: [
        { x: 0.2, y: 0.5, low: 0.4, high: 0.6 },
        { x: 0.4, y: 0.7 },
      ],
    },
  ],
  note: "A note.",
  ...change,
});

describe("the numbers of a figure", () => {
  it("are refused when they are not a figure", () => {
    for (const wrong of [null, 3, "x", {}, { kind: "roc" }, { kind: "roc", series: 4 }])
      expect(readFigure(wrong)).toBeNull();
    expect(readFigure(figure("roc"))).not.toBeNull();
  });
  it("become rows that know their series and interval", () => {
    expect(rowsOf(figure("roc").series)).toEqual([
      { series: "CT", x: 0.2, y: 0.5, low: 0.4, high: 0.6, hasInterval: true },
      { series: "CT", x: 0.4, y: 0.7, low: 0.7, high: 0.7, hasInterval: false },
    ]);
  });
  it("lose points without a value", () => {
    expect(rowsOf([{ name: "a", points: [{ x: 1, y: Number.NaN }] }])).toEqual([]);
  });
  it("keep the order of categories", () => {
    const rows = rowsOf([
      {
        name: "a",
        points: [
          { x: "SPECT", y: 1 },
          { x: "CT", y: 2 },
          { x: "SPECT", y: 3 },
        ],
      },
    ]);
    expect(categories(rows)).toEqual(["SPECT", "CT"]);
  });
});

describe("axes", () => {
  it("are logarithmic along lambda, unless a lambda is zero", () => {
    expect(isLogAxis("lasso_path", rowsOf(figure("lasso_path").series))).toBe(true);
    expect(isLogAxis("lasso_path", rowsOf([{ name: "a", points: [{ x: 0, y: 1 }] }]))).toBe(false);
    expect(isLogAxis("roc", rowsOf(figure("roc").series))).toBe(false);
  });
  it("run from 0 to 1 for ROC and calibration", () => {
    for (const kind of ["roc", "calibration"] as const) {
      expect(optionsFor(figure(kind)).x).toMatchObject({ domain: [0, 1] });
      expect(optionsFor(figure(kind)).y).toMatchObject({ domain: [0, 1] });
    }
  });
  it("cut a decision curve below −0.1 and leave room above", () => {
    expect(
      benefitDomain(
        rowsOf([
          {
            name: "a",
            points: [
              { x: 0.9, y: -6 },
              { x: 0.1, y: 0.52 },
            ],
          },
        ]),
      ),
    ).toEqual([-0.1, 0.55]);
  });
});

describe("a drawing", () => {
  it.each([
    "roc",
    "calibration",
    "decision",
    "bars",
    "lasso_path",
    "cv",
    "box",
    "heat",
    "histogram",
  ] as const)("of kind %s has a name, a description and something to draw", (kind) => {
    const options = optionsFor(figure(kind));
    expect(options.ariaLabel).toBe("ROC curves");
    expect(options.ariaDescription).toBe("A note.");
    expect(options.marks?.length).toBeGreaterThan(0);
  });
  it("grows with the number of categories", () => {
    const many = Array.from({ length: 20 }, (_, k) => ({ x: `model ${k}`, y: 0.5 }));
    expect(optionsFor(figure("bars", { series: [{ name: "AUC", points: many }] })).height).toBe(660);
  });
  it("tells fourteen series apart by colour and dash together", () => {
    const looks = Array.from({ length: 14 }, (_, place) => `${colourOf(place)} ${dashOf(place)}`);
    expect(new Set(looks).size).toBe(14);
  });
});
