import { describe, expect, it } from "vitest";
import { caseFixture } from "./case_fixture.ts";
import type { CaseDocument } from "./types.ts";
import { readCaseDocument } from "./validate.ts";

type Path = (string | number)[];
type Loose = Record<string | number, unknown>;

/** A document in which every part that may be there is there, each list with one item. */
function fullDocument(): CaseDocument {
  const document = caseFixture();
  const [ct] = document.series;
  if (ct === undefined) throw new Error("no series");
  document.series = [{ ...ct, images: ct.images.slice(0, 1), presets: ct.presets.slice(0, 1) }];
  const copy = {
    source: "SPECT" as const,
    source_revision: 2,
    plane_distance_mm: -1.1339,
    shift_mm: [0.5, 0] as [number, number],
    slices_moved: 0,
    edited_after_copy: false,
  };
  const outline = {
    vertices: [[0, 1, 2]] as [number, number, number][],
    sop_instance_uid: "2.25.1",
    frame: 1,
    frame_of_reference_uid: "2.25.9",
    kind: "points" as const,
    copy,
  };
  const answers = { call: "benign" };
  document.case.draft = {
    version: 3,
    document: { answers, outlines: { CT: outline, SPECT: null }, looks: {}, focus: [1, 2, 3] },
  };
  document.case.lesion.whole_body = { anterior: [1, 2], posterior: [3, 4] };
  document.case.aid = { probability: 0.5, model: "M1" };
  return document;
}

/** Objects whose keys are data (answers, looks, keys of a user) have no fields to miss. */
const OPEN = new Set(["answers", "looks", "keys"]);

function pathsOf(value: unknown, at: Path = []): Path[] {
  if (typeof value !== "object" || value === null || OPEN.has(String(at.at(-1)))) return [at];
  return [
    at,
    ...Object.entries(value).flatMap(([key, inner]) =>
      pathsOf(inner, [...at, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}
const parentOf = (document: CaseDocument, path: Path): Loose =>
  path.slice(0, -1).reduce<Loose>((inner, key) => inner[key] as Loose, document as unknown as Loose);
const textOf = (path: Path): string =>
  path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : `${text}.${key}`),
    "document",
  );
const valueAt = (path: Path): unknown => parentOf(fullDocument(), path)[path.at(-1) as string];
const reasonAfter = (change: (document: CaseDocument) => void): string => {
  const document = fullDocument();
  change(document);
  const read = readCaseDocument(document);
  return "reason" in read ? read.reason : "";
};

const ALL = pathsOf(fullDocument()).filter((path) => path.length > 0);
const FIELDS = ALL.filter((path) => typeof path.at(-1) === "string");
/** The conditions of a question may name either kind of comparison or none. */
const isOptional = (path: Path): boolean => path.at(-2) === "visible_if" && path.at(-1) !== "question";
const isKind = (path: Path): boolean => path.at(-3) === "questions" && path.at(-1) === "kind";
const OBJECTS = [[], ...ALL].filter((path) => {
  const value = path.length === 0 ? fullDocument() : valueAt(path);
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !OPEN.has(String(path.at(-1)))
  );
});
/** A value of another kind than the one that is there. */
const wrongFor = (value: unknown): unknown =>
  typeof value === "number" ? "7" : typeof value === "object" ? true : 1e308 * 10;

describe("the case document, field by field", () => {
  it("has the fields that the table below goes through", () => {
    expect(reasonAfter(() => undefined)).toBe("");
    expect(FIELDS.length).toBeGreaterThan(110);
  });
  it.each(
    FIELDS.filter((path) => !isOptional(path) && !isKind(path)).map((path) => [textOf(path), path] as const),
  )("is refused without %s", (text, path) => {
    const reason = reasonAfter((document) => {
      delete parentOf(document, path)[path.at(-1) as string];
    });
    expect(reason).toBe(`The case document is not what the desk expects (${text}: missing).`);
  });
  it.each(ALL.map((path) => [textOf(path), path] as const))(
    "is refused with a wrong value of %s",
    (text, path) => {
      const reason = reasonAfter((document) => {
        parentOf(document, path)[path.at(-1) as string] = wrongFor(valueAt(path));
      });
      expect(reason).toContain(`(${text}`);
    },
  );
  it.each(OBJECTS.map((path) => [textOf(path), path] as const))(
    "is refused with one more field in %s",
    (text, path) => {
      const reason = reasonAfter((document) => {
        const inner = path.reduce<Loose>((outer, key) => outer[key] as Loose, document as unknown as Loose);
        inner.diagnosis = "benign";
      });
      expect(reason).toBe(
        `The case document is not what the desk expects (${text}.diagnosis: unknown field).`,
      );
    },
  );
  it.each([undefined, "", "slider", "constructor", "__proto__", 3])(
    "is refused with a question of kind %s",
    (kind) => {
      const reason = reasonAfter((document) => {
        (document.case.questionnaire.questions[0] as unknown as Loose).kind = kind;
      });
      expect(reason).toContain("(document.case.questionnaire.questions[0].kind: unknown kind of question)");
    },
  );
  it.each(["__proto__", "constructor", "toString"])("is refused with a field called %s", (name) => {
    const raw = JSON.parse(
      JSON.stringify(fullDocument()).replace('"schema":1', `"schema":1,"${name}":{}`),
    ) as unknown;
    expect(readCaseDocument(raw)).toEqual({
      reason: `The case document is not what the desk expects (document.${name}: unknown field).`,
    });
  });
});
