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
  roomFor,
  rowsOf,
  shiftOf,
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
      { series: "CT", x: 0.2, y: 0.5, low: 0.4, high: 0.6, q1: 0.5, q3: 0.5, hasInterval: true },
      { series: "CT", x: 0.4, y: 0.7, low: 0.7, high: 0.7, q1: 0.7, q3: 0.7, hasInterval: false },
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

describe("series that share a row", () => {
  it("stand beside each other about its middle", () => {
    expect([0, 1].map((place) => shiftOf(place, 2))).toEqual([-4.5, 4.5]);
    expect(shiftOf(0, 1)).toBe(0);
    expect([0, 1, 2].map((place) => shiftOf(place, 3))).toEqual([-9, 0, 9]);
  });
  it("carry their quartiles to the drawing", () => {
    const [row] = rowsOf([{ name: "Benign", points: [{ x: "V01", y: 2, low: 0, q1: 1, q3: 3, high: 9 }] }]);
    expect(row).toMatchObject({ low: 0, q1: 1, y: 2, q3: 3, high: 9, hasInterval: true });
  });
});

describe("labels beside the axis", () => {
  it("get the room that the longest needs, up to a bound", () => {
    expect(roomFor([])).toBe(20);
    expect(roomFor(["CT", "CT, delineator1 and delineator2"])).toBe(216);
    expect(roomFor(["x".repeat(200)])).toBe(280);
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
    "forest",
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

describe("limits of a point", () => {
  it.each([
    ["both given", { low: 0.1, high: 0.9 }, { low: 0.1, high: 0.9, hasInterval: true }],
    ["a lower limit of zero", { low: 0, high: 1 }, { low: 0, high: 1, hasInterval: true }],
    ["none known", { low: null, high: null }, { low: 0.5, high: 0.5, hasInterval: false }],
    ["one alone", { low: 0.1 }, { low: 0.1, high: 0.5, hasInterval: false }],
    ["none sent", {}, { low: 0.5, high: 0.5, hasInterval: false }],
  ])("with %s are drawn so", (_, limits, wanted) => {
    const [row] = rowsOf([{ name: "a", points: [{ x: "CT", y: 0.5, ...limits }] }]);
    expect(row).toMatchObject(wanted);
  });
});

describe("a decision curve's axis", () => {
  it.each([
    [[-6, -0.3], 0.05],
    [[0], 0.05],
    [[0.05], 0.05],
    [[0.051], 0.1],
    [[0.6], 0.6],
    [[], 0.05],
  ])("for the net benefits %j ends at %d", (benefits, top) => {
    const points = benefits.map((y, x) => ({ x, y }));
    expect(benefitDomain(rowsOf([{ name: "a", points }]))).toEqual([-0.1, top]);
  });
});
