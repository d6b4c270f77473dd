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
  it("of signed counts is signed", () => {
    expect(bufferType(spectWith({ pixel: { ...spect.pixel, signed: true } }))).toBe("Int16Array");
  });
});
