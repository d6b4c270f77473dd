import { describe, expect, it } from "vitest";
import { caseFixture } from "./case_fixture.ts";
import type { CaseDocument } from "./types.ts";
import { readCaseDocument } from "./validate.ts";

const reasonFor = (change: (document: CaseDocument) => unknown): string | null => {
  const document = caseFixture();
  const changed = change(document) ?? document;
  const read = readCaseDocument(changed);
  return "reason" in read ? read.reason : null;
};
type Loose = Record<string, unknown>;

describe("the case document", () => {
  it("is taken when every field is as agreed", () => {
    expect(reasonFor(() => undefined)).toBeNull();
  });
  it.each([
    [
      "an unknown field at the top",
      (d: CaseDocument) => ({ ...d, extra: 1 }),
      "document.extra: unknown field",
    ],
    [
      "an unknown field in the case",
      (d: CaseDocument) => {
        (d.case as unknown as Loose).diagnosis = "x";
      },
      "document.case.diagnosis: unknown field",
    ],
    [
      "a missing field",
      (d: CaseDocument) => {
        delete (d.case as unknown as Loose).owner;
      },
      "document.case.owner: missing",
    ],
    [
      "a number that is not finite",
      (d: CaseDocument) => {
        d.case.lesion.world[1] = Number.NaN;
      },
      "document.case.lesion.world[1]: a finite number expected",
    ],
    [
      "a position with two coordinates",
      (d: CaseDocument) => {
        (d.series[0]?.images[3] as unknown as Loose).position = [1, 2];
      },
      "document.series[0].images[3].position: 3 items expected",
    ],
    [
      "an unknown kind of question",
      (d: CaseDocument) => {
        (d.case.questionnaire.questions[0] as unknown as Loose).kind = "slider";
      },
      "questions[0].kind: unknown kind of question",
    ],
    [
      "an unknown role",
      (d: CaseDocument) => {
        (d.series[0] as unknown as Loose).role = "MR";
      },
      "document.series[0].role",
    ],
    ["another schema", (d: CaseDocument) => ({ ...d, schema: 2 }), "document.schema"],
    ["nothing at all", () => "", "document: an object expected"],
  ])("is refused with %s", (_, change, reason) => {
    expect(reasonFor(change)).toContain(reason);
  });
  it.each([
    [
      "two series of one role",
      (d: CaseDocument) => {
        d.series.push(...d.series.slice(0, 1));
      },
      "CT is given twice",
    ],
    [
      "a series without images",
      (d: CaseDocument) => {
        d.series = d.series.map((series, k) => (k === 1 ? { ...series, images: [] } : series));
      },
      "SPECT has no images",
    ],
    [
      "an image without a position in a series with an orientation",
      (d: CaseDocument) => {
        (d.series[0]?.images[1] as unknown as Loose).position = null;
      },
      "an image of CT has no position",
    ],
    [
      "no series",
      (d: CaseDocument) => {
        d.series = [];
      },
      "the case has no images",
    ],
  ])("contradicts itself with %s", (_, change, reason) => {
    expect(reasonFor(change)).toContain(reason);
  });
  it("may hold a draft with a copied outline", () => {
    const outline = {
      vertices: [[0, 0, 0]] as [number, number, number][],
      sop_instance_uid: "2.25.1",
      frame: 1,
      frame_of_reference_uid: null,
      kind: "points" as const,
      copy: {
        source: "CT" as const,
        source_revision: 2,
        plane_distance_mm: -1.1339,
        shift_mm: [0, 0.5] as [number, number],
        slices_moved: 0,
        edited_after_copy: false,
      },
    };
    const draft = {
      answers: { call: null, n: 3, list: ["a"] },
      outlines: { CT: null, SPECT: outline },
      looks: {},
      focus: null,
    };
    expect(
      reasonFor((document) => {
        document.case.draft.document = draft;
      }),
    ).toBeNull();
  });
});
