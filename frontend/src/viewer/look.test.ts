import { describe, expect, it } from "vitest";
import { caseFixture } from "../api/case_fixture.ts";
import type { SeriesDocument } from "../api/types.ts";
import {
  centreOf,
  changeOpacity,
  type Look,
  moveCentre,
  nextMap,
  nextOverlayMap,
  protocolLook,
  restoreLook,
  scaleUpper,
  scaleWidth,
  widthOf,
  windowRange,
} from "./look.ts";
import { bufferType } from "./pixel_type.ts";

const [ct, spect] = caseFixture().series as [SeriesDocument, SeriesDocument];
const bone: SeriesDocument = { ...ct, presets: [{ name: "bone", lower: -300, upper: 1200 }] };
const look = protocolLook(undefined, bone, spect);

describe("the protocol's look", () => {
  it("is the first preset, grey for CT and inverted for SPECT", () => {
    expect([look.lower, look.upper, look.invert]).toEqual([-300, 1200, false]);
    expect(protocolLook(undefined, spect, spect)).toMatchObject({ lower: 0, upper: 700, invert: true });
  });
  it("lays the SPECT over the CT half opaque above a tenth of its upper bound", () => {
    expect(protocolLook(bone, bone, spect)).toMatchObject({
      overlay: true,
      overlay_upper: 700,
      overlay_map: "inferno",
      opacity: 0.5,
      threshold: 0.1,
    });
  });
});

describe("the window", () => {
  it("is centre ± half the width", () => {
    expect(windowRange(450, 1500)).toEqual({ lower: -300, upper: 1200 });
  });
  it.each([
    [99_999, 1, 3070.5, 3071.5],
    [-99_999, 0, -1024.5, -1023.5],
    [0, 99_999, -2047.5, 2047.5],
    [Number.NaN, Number.NaN, -160, 240],
  ])("of centre %f and width %f stays within bounds", (centre, width, lower, upper) => {
    expect(windowRange(centre, width)).toEqual({ lower, upper });
  });
  it("widens by a factor around its centre and moves by units", () => {
    const wider = { ...look, ...scaleWidth(look, 1.1) };
    expect(centreOf(wider)).toBeCloseTo(450, 9);
    expect(widthOf(wider)).toBeCloseTo(1650, 9);
    expect(centreOf({ ...look, ...moveCentre(look, -25) })).toBe(425);
  });
  it("of counts never turns upside down", () => {
    expect(scaleUpper({ ...look, lower: 0, upper: 700 }, 1.1).upper).toBeCloseTo(770, 9);
    expect(scaleUpper({ ...look, lower: 0, upper: 0 }, 0.9).upper).toBeGreaterThan(0);
  });
});

describe("opacity and colour maps", () => {
  it("moves in tenths between 0 and 1", () => {
    let current: Look = look;
    for (let k = 0; k < 12; k += 1) current = { ...current, ...changeOpacity(current, 0.1) };
    expect(current.opacity).toBe(1);
    for (let k = 0; k < 12; k += 1) current = { ...current, ...changeOpacity(current, -0.1) };
    expect(current.opacity).toBe(0);
  });
  it("come around again", () => {
    expect(nextMap(nextMap(nextMap("grey")))).toBe("grey");
    expect(nextOverlayMap(nextOverlayMap("inferno"))).toBe("inferno");
    expect(nextOverlayMap("hot")).not.toBe("grey");
  });
});

describe("a saved look", () => {
  it("is laid over the protocol's", () => {
    expect(restoreLook(look, { zoom: 3, centre: [1, 2, 3], invert: true, slice: "x|1" })).toEqual({
      ...look,
      zoom: 3,
      centre: [1, 2, 3],
      invert: true,
    });
  });
  it.each([
    ["nothing", null],
    ["text", "look"],
    ["a zoom that is no number", { zoom: "3" }],
    ["a zoom that is not finite", { zoom: Number.POSITIVE_INFINITY }],
    ["a centre with two coordinates", { centre: [1, 2] }],
    ["a centre that is not finite", { centre: [1, 2, Number.NaN] }],
    ["an unknown field", { colour: "red" }],
    ["a field that every object inherits", JSON.parse('{"__proto__": {"zoom": 9}}')],
  ])("of %s changes nothing", (_, saved) => {
    expect(restoreLook(look, saved)).toEqual(look);
  });
});

describe("the pixel type of a series", () => {
  const spectWith = (change: Partial<SeriesDocument>): SeriesDocument => ({ ...spect, ...change });

  it("is the same for frames with few and with many counts, so that a volume cannot wrap around", () => {
    expect(bufferType(spect)).toBe("Uint16Array");
  });
  it("holds Hounsfield units", () => {
    expect(bufferType(ct)).toBe("Int16Array");
  });
  it.each([
    [{ slope: 0.5, intercept: 0, unit: "GML" }, "Float32Array"],
    [{ slope: 1, intercept: 0.25, unit: "CNTS" }, "Float32Array"],
    [{ slope: 100, intercept: 0, unit: "CNTS" }, "Float32Array"],
  ])("with rescale %j is %s", (rescale, type) => {
    expect(bufferType(spectWith({ rescale }))).toBe(type);
  });
  it("of images with slopes of their own holds any number", () => {
    const images = spect.images.map((image, k) =>
      k === 1 ? { ...image, rescale: { slope: 2, intercept: 0 } } : image,
    );
    expect(bufferType(spectWith({ images }))).toBe("Float32Array");
  });
  it("of signed counts is signed", () => {
    expect(bufferType(spectWith({ pixel: { ...spect.pixel, signed: true } }))).toBe("Int16Array");
  });
});

describe("the pixel type by hand", () => {
  const typed = (
    bits: number,
    signed: boolean,
    slope: number,
    intercept: number,
    role: "CT" | "SPECT" = "SPECT",
  ) =>
    bufferType({
      ...spect,
      role,
      pixel: { ...spect.pixel, bits_stored: bits, signed },
      rescale: { slope, intercept, unit: "CNTS" },
    });
  it.each([
    // stored 0…65535
    [16, false, 1, 0, "Uint16Array"],
    [16, false, 1, 1, "Float32Array"],
    [16, false, 1, -1, "Float32Array"],
    [16, false, 2, 0, "Float32Array"],
    // stored 0…32767
    [15, false, 2, 0, "Uint16Array"],
    [15, false, 1, -1, "Int16Array"],
    [15, false, 1, -32768, "Int16Array"],
    [15, false, 1, -32769, "Float32Array"],
    // stored −32768…32767
    [16, true, 1, 0, "Int16Array"],
    [16, true, 1, 1, "Float32Array"],
    [16, true, 1, 32768, "Uint16Array"],
    // stored 0…255
    [8, false, 100, 0, "Uint16Array"],
    [8, false, 257, 0, "Uint16Array"],
    [8, false, 258, 0, "Float32Array"],
    [8, false, 0.1, 0, "Float32Array"],
  ] as [number, boolean, number, number, string][])(
    "%i bits, signed %s, slope %f, intercept %f: %s",
    (bits, signed, slope, intercept, type) => {
      expect(typed(bits, signed, slope, intercept)).toBe(type);
    },
  );
  it("is that of Hounsfield units for every CT with slope one", () => {
    expect(typed(16, false, 1, -1024, "CT")).toBe("Int16Array");
    expect(typed(12, false, 1, -8192, "CT")).toBe("Int16Array");
  });
});

describe("windows at any number", () => {
  const wild = [
    Number.NaN,
    Number.NEGATIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    -1e308,
    -5000,
    -1024,
    0,
    0.5,
    1,
    4095,
    4096,
    1e308,
  ];
  it.each(wild)("stay within their bounds for centre %f and every width", (centre) => {
    for (const width of wild) {
      const { lower, upper } = windowRange(centre, width);
      expect(upper - lower).toBeGreaterThanOrEqual(1 - 1e-9);
      expect(upper - lower).toBeLessThanOrEqual(4095 + 1e-9);
      expect((upper + lower) / 2).toBeGreaterThanOrEqual(-1024);
      expect((upper + lower) / 2).toBeLessThanOrEqual(3071);
    }
  });
  it("wider and narrower by keys never leave them, however often", () => {
    for (const factor of [0.9, 1.1]) {
      let current = look;
      for (let k = 0; k < 200; k += 1) current = { ...current, ...scaleWidth(current, factor) };
      expect(widthOf(current)).toBeCloseTo(factor < 1 ? 1 : 4095, 6);
      expect(centreOf(current)).toBeCloseTo(450, 6);
    }
  });
  it("moving the centre keeps the width", () => {
    let current = look;
    for (let k = 0; k < 200; k += 1) current = { ...current, ...moveCentre(current, 25) };
    expect([centreOf(current), widthOf(current)]).toEqual([3071, 1500]);
  });
  it("opacity goes through the eleven tenths exactly", () => {
    let current: Look = { ...look, opacity: 0 };
    const seen = [0];
    for (let k = 0; k < 10; k += 1) {
      current = { ...current, ...changeOpacity(current, 0.1) };
      seen.push(current.opacity);
    }
    expect(seen).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  });
});
