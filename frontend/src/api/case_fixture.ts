import type { Case, CaseDocument, ImageDocument, Question, Role, SeriesDocument, Vec3 } from "./types.ts";

/** The reference study as a case document: CT of 60 slices, SPECT of 80 frames, whole body. For tests. */
export function caseFixture(): CaseDocument {
  return {
    schema: 1,
    case: caseOf(),
    series: [
      axialSeries("CT", 256, 1.953125, 60, (k) => [-249.0234375, -249.0234375, -45 + 2.5 * k]),
      axialSeries("SPECT", 128, 4.4179, 80, (k) => [-280.53665, -280.53665, 199.0141 - 4.4179 * (79 - k)]),
    ],
  };
}

const QUESTIONS: Question[] = [
  {
    id: "call",
    kind: "binary",
    text: "Call",
    options: [
      { value: "metastasis", label: "Metastasis" },
      { value: "benign", label: "Benign" },
    ],
    required: true,
    visible_if: null,
  },
  {
    id: "confidence",
    kind: "ordinal",
    text: "Confidence",
    low: 1,
    high: 5,
    low_label: "guess",
    high_label: "certain",
    required: true,
    visible_if: { question: "call", in: ["metastasis", "benign"] },
  },
];

function caseOf(): Case {
  const root = "/reading/cases/K7Q2/";
  const at = (name: string): string => `${root}${name}`;
  return {
    code: "K7Q2",
    position: 12,
    count: 96,
    task: "read",
    state: "assigned",
    questionnaire: {
      version: 1,
      questions: structuredClone(QUESTIONS),
    },
    draft: { version: 0, document: null },
    preferences: { backend: "auto", layout: null, text_size: "normal", single_keys: true, keys: {} },
    lesion: { world: [18, 70, 30], label: "L2", whole_body: { anterior: [134, 420], posterior: null } },
    registration: { ok: true, reason: "" },
    copy: { ok: true, reason: "" },
    instructions: "Each lesion is either a metastasis or benign.",
    aid: null,
    owner: "o-77",
    urls: {
      document: at("document"),
      draft: at("draft"),
      events: at("events"),
      submit: at("submit"),
      reopen: at("reopen"),
      home: "/reading/",
      preferences: "/reading/preferences",
    },
    csrf_token: "token",
  };
}

function axialSeries(
  role: Role,
  size: number,
  spacing: number,
  count: number,
  position: (k: number) => Vec3,
): SeriesDocument {
  const images: ImageDocument[] = Array.from({ length: count }, (_, k) => ({
    sop_instance_uid: role === "CT" ? `2.25.10${k}` : "2.25.7",
    frame: role === "CT" ? 1 : k + 1,
    position: position(k),
    url: `/reading/cases/K7Q2/dicomweb/${role}/${k + 1}`,
  }));
  return {
    role,
    title: role,
    study_uid: "2.25.1",
    series_uid: `2.25.${size}`,
    frame_of_reference_uid: "2.25.9",
    pixel: {
      rows: size,
      columns: size,
      bits_allocated: 16,
      bits_stored: 16,
      high_bit: 15,
      signed: false,
      samples: 1,
      photometric: "MONOCHROME2",
    },
    rescale: { slope: 1, intercept: role === "CT" ? -1024 : 0, unit: role === "CT" ? "HU" : "CNTS" },
    transfer_syntax_uid: "1.2.840.10008.1.2.1",
    spacing_mm: [spacing, spacing],
    orientation: [1, 0, 0, 0, 1, 0],
    slice_spacing_mm: role === "CT" ? 2.5 : spacing,
    slice_thickness_mm: role === "CT" ? 2.5 : spacing,
    presets: [{ name: "first", lower: 0, upper: 700 }],
    volume_ok: true,
    volume_reason: "",
    images,
  };
}
