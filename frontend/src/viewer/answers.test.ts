import { describe, expect, it } from "vitest";
import { caseFixture } from "../api/case_fixture.ts";
import type { SeriesDocument } from "../api/types.ts";
import { answererOf, imageIdOf } from "./answers.ts";

const { series } = caseFixture();
const [ct, spect] = series as [SeriesDocument, SeriesDocument];
const ask = answererOf(series);
type Plane = { imagePositionPatient: number[]; frameOfReferenceUID: string; rowCosines: number[] };
const plane = (of: SeriesDocument, k: number): Plane =>
  ask("imagePlaneModule", imageIdOf(of.images[k] as SeriesDocument["images"][number])) as Plane;

describe("T1: every frame of a multi-frame image has its own place", () => {
  it("80 frames are at 80 distinct positions, one spacing apart", () => {
    const heights = spect.images.map((_, k) => plane(spect, k).imagePositionPatient[2] as number);
    expect(new Set(heights).size).toBe(80);
    for (let k = 1; k < heights.length; k += 1) {
      expect((heights[k] as number) - (heights[k - 1] as number)).toBeCloseTo(4.4179, 3);
    }
  });
  it("which are the served ones to the last digit", () => {
    expect(plane(spect, 79).imagePositionPatient).toEqual([-280.53665, -280.53665, 199.0141]);
    expect(plane(ct, 0).imagePositionPatient).toEqual([-249.0234375, -249.0234375, -45]);
  });
});

describe("T28: a whole-body image", () => {
  const planar: SeriesDocument = {
    ...spect,
    role: "WB-ANT",
    frame_of_reference_uid: null,
    orientation: null,
    images: [
      { sop_instance_uid: "2.25.5", frame: 1, position: null, url: "/wb/1" },
      { sop_instance_uid: "2.25.5", frame: 2, position: null, url: "/wb/2" },
    ],
  };
  const own = answererOf([planar]);
  it("shares its frame of reference with no other image, not even of its own file", () => {
    const uids = [1, 2].map((n) => (own("imagePlaneModule", `wadors:/wb/${n}`) as Plane).frameOfReferenceUID);
    expect(new Set(uids).size).toBe(2);
    expect(uids).not.toContain(ct.frame_of_reference_uid);
  });
  it("has pixel coordinates in place of an orientation", () => {
    expect(own("imagePlaneModule", "wadors:/wb/1")).toMatchObject({
      rowCosines: [1, 0, 0],
      columnCosines: [0, 1, 0],
      imagePositionPatient: [0, 0, 0],
    });
  });
});

describe("T3: after a case is closed", () => {
  it("the answers of another case do not know its images", () => {
    const next = answererOf([
      { ...ct, images: [{ ...(ct.images[0] as (typeof ct.images)[0]), url: "/other" }] },
    ]);
    expect(next("imagePlaneModule", imageIdOf(ct.images[0] as (typeof ct.images)[0]))).toBeUndefined();
    expect(next("imagePlaneModule", "wadors:/other")).toBeDefined();
  });
});

describe("the seven modules", () => {
  const first = imageIdOf(ct.images[0] as (typeof ct.images)[0]);
  it.each([
    ["modalityLutModule", { rescaleSlope: 1, rescaleIntercept: -1024, rescaleType: "HU" }],
    ["imagePixelModule", { bitsAllocated: 16, highBit: 15, pixelRepresentation: 0, rows: 256, columns: 256 }],
    ["voiLutModule", { windowCenter: [350], windowWidth: [700] }],
    ["sopCommonModule", { sopInstanceUID: "2.25.100" }],
    ["transferSyntax", { transferSyntaxUID: "1.2.840.10008.1.2.1" }],
    ["generalSeriesModule", { modality: "CT", seriesDescription: "CT" }],
    ["imagePlaneModule", { rows: 256, columns: 256, rowPixelSpacing: 1.953125 }],
  ])("%s is answered from the case document", (name, answer) => {
    expect(ask(name, first)).toMatchObject(answer);
  });
  it("an image with a slope of its own is read by it, the others by the series'", () => {
    const [one, own, ...rest] = ct.images as [(typeof ct.images)[0], (typeof ct.images)[0]];
    const rescale = { slope: 2.5, intercept: -7 };
    const answer = answererOf([{ ...ct, images: [one, { ...own, rescale }, ...rest] }]);
    const of = (image: (typeof ct.images)[0]) => answer("modalityLutModule", imageIdOf(image));
    expect(of(own)).toEqual({ rescaleSlope: 2.5, rescaleIntercept: -7, rescaleType: "HU" });
    expect(of(one)).toEqual({ rescaleSlope: 1, rescaleIntercept: -1024, rescaleType: "HU" });
  });
  it.each([["patientModule"], ["generalImageModule"], ["overlayPlaneModule"], ["calibrationModule"]])(
    "%s is not answered at all",
    (name) => {
      expect(ask(name, first)).toBeUndefined();
    },
  );
  it.each([[undefined], [null], [7], ["wadors:/elsewhere"], [""]])("nothing is known of %s", (id) => {
    expect(ask("imagePlaneModule", id)).toBeUndefined();
  });
  it("a signed image says so, and a series without a window has none", () => {
    const bare = { ...ct, pixel: { ...ct.pixel, signed: true }, presets: [] };
    expect(answererOf([bare])("imagePixelModule", first)).toMatchObject({ pixelRepresentation: 1 });
    expect(answererOf([bare])("voiLutModule", first)).toEqual({});
  });
});
