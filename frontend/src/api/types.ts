/** The reading room's documents, word for word as the server sends and takes them. */
export type Vec3 = [number, number, number];
export type Slot = "CT" | "SPECT";
export type Role = "CT" | "SPECT" | "WB-ANT" | "WB-POST";
export type Backend = "auto" | "cpu" | "gpu";
export type LayoutName = "six" | "pair" | "axial" | "single";
export type CaseState = "assigned" | "draft" | "submitted" | "locked" | "missing";

export interface Predicate {
  question: string;
  equals?: string | number;
  in?: (string | number)[];
}
export interface Option {
  value: string;
  label: string;
}
interface QuestionCommon {
  id: string;
  text: string;
  required: boolean;
  visible_if: Predicate | null;
}
export type Question = QuestionCommon &
  (
    | { kind: "binary" | "one_of" | "many_of"; options: Option[] }
    | { kind: "ordinal"; low: number; high: number; low_label: string; high_label: string }
    | { kind: "integer"; low: number; high: number }
    | { kind: "text"; max_length: number }
  );

export type Answer = string | number | string[] | null;
export type Answers = Record<string, Answer>;

export interface CopyRecord {
  source: Slot;
  source_revision: number;
  plane_distance_mm: number;
  shift_mm: [number, number];
  slices_moved: number;
  edited_after_copy: boolean;
}
export interface Outline {
  vertices: Vec3[];
  sop_instance_uid: string;
  frame: number;
  frame_of_reference_uid: string | null;
  kind: "freehand" | "points";
  copy: CopyRecord | null;
}
export type Outlines = Record<Slot, Outline | null>;

export interface DraftDocument {
  answers: Answers;
  outlines: Outlines;
  looks: Record<string, unknown>;
  focus: Vec3 | null;
}
export interface Problems {
  answers: Record<string, string>;
  outlines: Record<Slot, string[]>;
}
export interface SaveAnswer {
  version: number;
  saved_at: string;
  problems: Problems;
}
export interface SubmitAnswer {
  state: "submitted";
  next: string | null;
  home: string;
}
export interface Preferences {
  backend: Backend;
  layout: LayoutName | null;
  text_size: "normal" | "large";
  single_keys: boolean;
  keys: Record<string, string>;
}
export interface CaseUrls {
  document: string;
  draft: string;
  events: string;
  submit: string;
  reopen: string;
  home: string;
}
export interface Judgement {
  ok: boolean;
  reason: string;
}
export interface Case {
  code: string;
  position: number;
  count: number;
  task: "read" | "outline";
  state: CaseState;
  questionnaire: { version: number; questions: Question[] };
  draft: { version: number; document: DraftDocument | null };
  preferences: Preferences;
  lesion: {
    world: Vec3;
    label: string | null;
    whole_body: { anterior: [number, number] | null; posterior: [number, number] | null } | null;
  };
  registration: Judgement;
  copy: Judgement;
  instructions: string;
  aid: { probability: number; model: string } | null;
  owner: string;
  urls: CaseUrls;
  csrf_token: string;
}
export interface Preset {
  name: string;
  lower: number;
  upper: number;
}
export interface ImageDocument {
  sop_instance_uid: string;
  frame: number;
  position: Vec3 | null;
  url: string;
}
export interface SeriesDocument {
  role: Role;
  title: string;
  study_uid: string;
  series_uid: string;
  frame_of_reference_uid: string | null;
  pixel: {
    rows: number;
    columns: number;
    bits_allocated: number;
    bits_stored: number;
    high_bit: number;
    signed: boolean;
    samples: number;
    photometric: string;
  };
  rescale: { slope: number; intercept: number; unit: string };
  transfer_syntax_uid: string;
  spacing_mm: [number, number];
  orientation: [number, number, number, number, number, number] | null;
  slice_spacing_mm: number | null;
  slice_thickness_mm: number | null;
  presets: Preset[];
  volume_ok: boolean;
  volume_reason: string;
  images: ImageDocument[];
}
export interface CaseDocument {
  schema: 1;
  case: Case;
  series: SeriesDocument[];
}
