import {
  anything,
  type Check,
  either,
  flag,
  list,
  mapOf,
  number,
  object,
  oneOf,
  orNull,
  text,
  whole,
} from "./schema.ts";
import type { CaseDocument } from "./types.ts";

const vec3 = list(number, 3);
const pair = list(number, 2);
const option = object({ value: text, label: text });
const scalar = either(text, number);
const predicate = object({ question: text }, { equals: scalar, in: list(scalar) });

const question = { id: text, text, required: flag, visible_if: orNull(predicate) };
const KINDS: Record<string, Record<string, Check>> = {
  binary: { options: list(option) },
  one_of: { options: list(option) },
  many_of: { options: list(option) },
  ordinal: { low: whole, high: whole, low_label: text, high_label: text },
  integer: { low: whole, high: whole },
  text: { max_length: whole },
};
const QUESTIONS: Record<string, Check> = Object.fromEntries(
  Object.entries(KINDS).map(([kind, own]) => [kind, object({ kind: oneOf(kind), ...question, ...own })]),
);
const anyQuestion: Check = (value, path) => {
  const kind = typeof value === "object" && value !== null && "kind" in value ? String(value.kind) : "";
  const check = Object.hasOwn(QUESTIONS, kind) ? QUESTIONS[kind] : undefined;
  return check === undefined ? `${path}.kind: unknown kind of question` : check(value, path);
};

const copyRecord = object({
  source: oneOf("CT", "SPECT"),
  source_revision: whole,
  plane_distance_mm: number,
  shift_mm: pair,
  slices_moved: whole,
  edited_after_copy: flag,
});
const outline = object({
  vertices: list(vec3),
  sop_instance_uid: text,
  frame: whole,
  frame_of_reference_uid: orNull(text),
  kind: oneOf("freehand", "points"),
  copy: orNull(copyRecord),
});
const image = object(
  { sop_instance_uid: text, frame: whole, position: orNull(vec3), url: text },
  { rescale: object({ slope: number, intercept: number }) },
);
const draft = object({
  answers: mapOf(orNull(either(text, number, list(text)))),
  outlines: object({ CT: orNull(outline), SPECT: orNull(outline) }),
  looks: mapOf(anything),
  focus: orNull(vec3),
});
const judgement = object({ ok: flag, reason: text });

const openCase = object(
  {
    code: text,
    position: whole,
    count: whole,
    task: oneOf("read", "outline"),
    state: oneOf("assigned", "draft", "submitted", "locked", "missing"),
    questionnaire: object({ version: whole, questions: list(anyQuestion) }),
    draft: object({ version: whole, document: orNull(draft) }),
    preferences: object({
      backend: oneOf("auto", "cpu", "gpu"),
      layout: orNull(oneOf("six", "pair", "axial", "single")),
      text_size: oneOf("normal", "large"),
      single_keys: flag,
      keys: mapOf(text),
    }),
    lesion: object({
      world: vec3,
      label: orNull(text),
      whole_body: orNull(object({ anterior: orNull(pair), posterior: orNull(pair) })),
    }),
    registration: judgement,
    copy: judgement,
    instructions: text,
    aid: orNull(object({ probability: number, model: text })),
    owner: text,
    urls: object(
      {
        document: text,
        draft: text,
        events: text,
        submit: text,
        reopen: text,
        home: text,
        preferences: text,
      },
      { threshold: text },
    ),
    csrf_token: text,
  },
  { regions_3d: flag },
);

const series = object({
  role: oneOf("CT", "SPECT", "WB-ANT", "WB-POST"),
  title: text,
  study_uid: text,
  series_uid: text,
  frame_of_reference_uid: orNull(text),
  pixel: object({
    rows: whole,
    columns: whole,
    bits_allocated: whole,
    bits_stored: whole,
    high_bit: whole,
    signed: flag,
    samples: whole,
    photometric: text,
  }),
  rescale: object({ slope: number, intercept: number, unit: text }),
  transfer_syntax_uid: text,
  spacing_mm: pair,
  orientation: orNull(list(number, 6)),
  slice_spacing_mm: orNull(number),
  slice_thickness_mm: orNull(number),
  presets: list(object({ name: text, lower: number, upper: number })),
  volume_ok: flag,
  volume_reason: text,
  images: list(image),
});

const caseDocument = object({ schema: oneOf(1), case: openCase, series: list(series) });

const twice = (values: string[]): string | undefined =>
  values.find((value, k) => values.indexOf(value) !== k);

function inconsistency({ series: all }: CaseDocument): string | null {
  if (all.length === 0) return "series: the case has no images";
  const role = twice(all.map((one) => one.role));
  if (role !== undefined) return `series: ${role} is given twice`;
  const empty = all.find((one) => one.images.length === 0);
  if (empty !== undefined) return `series: ${empty.role} has no images`;
  const placed = all.find(
    (one) => one.orientation !== null && one.images.some((image) => image.position === null),
  );
  return placed === undefined ? null : `series: an image of ${placed.role} has no position`;
}

/** The case document, or the reason why it is refused as a whole. */
export function readCaseDocument(raw: unknown): { value: CaseDocument } | { reason: string } {
  const fault = caseDocument(raw, "document");
  if (fault !== null) return { reason: `The case document is not what the desk expects (${fault}).` };
  const value = raw as CaseDocument;
  const contradiction = inconsistency(value);
  return contradiction === null
    ? { value }
    : { reason: `The case document contradicts itself (${contradiction}).` };
}
