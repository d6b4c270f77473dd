// Written by `npm run types` from the OpenAPI schema; change readers/shapes.py instead.

export interface Case {
  code: string;
  position: number;
  count: number;
  task: "read" | "outline";
  state: "assigned" | "draft" | "submitted" | "locked" | "missing";
  questionnaire: OpenQuestionnaire;
  draft: OpenDraft;
  preferences: Preferences;
  lesion: LesionPlace;
  registration: Judgement;
  copy: Judgement;
  instructions: string;
  aid: ReleasedAid | null;
  owner: string;
  regions_3d?: boolean;
  urls: CaseUrls;
  csrf_token: string;
}

export interface CaseDocument {
  schema: 1;
  case: Case;
  series: SeriesDocument[];
}

export interface CaseUrls {
  document: string;
  draft: string;
  events: string;
  submit: string;
  reopen: string;
  home: string;
  preferences: string;
  threshold?: string;
}

export interface CopyRecord {
  source: "CT" | "SPECT";
  source_revision: number;
  plane_distance_mm: number;
  shift_mm: [number, number];
  slices_moved: number;
  edited_after_copy: boolean;
}

export interface DraftDocument {
  answers: Record<string, string | number | string[] | null>;
  outlines: Outlines;
  looks: Record<string, unknown>;
  focus: [number, number, number] | null;
}

export interface DueSession {
  code: string;
  study: string;
  number: number;
  task: "read" | "outline";
  state: "planned" | "open" | "closed";
  done: number;
  count: number;
  not_before: string | null;
}

export interface EventsIn {
  page_load: string;
  events: TimingEvent[];
}

export interface ImageDocument {
  sop_instance_uid: string;
  frame: number;
  position: [number, number, number] | null;
  url: string;
  rescale?: ImageRescale;
}

export interface ImageRescale {
  slope: number;
  intercept: number;
}

export interface IntegerQuestion {
  id: string;
  text: string;
  required: boolean;
  visible_if: Predicate | null;
  kind: "integer";
  low: number;
  high: number;
}

export interface Judgement {
  ok: boolean;
  reason: string;
}

export interface LesionPlace {
  world: [number, number, number];
  label: string | null;
  whole_body: WholeBodyPixels | null;
}

export interface OpenDraft {
  version: number;
  document: DraftDocument | null;
}

export interface OpenQuestionnaire {
  version: number;
  questions: Question[];
}

export interface Option {
  value: string;
  label: string;
}

export interface OptionQuestion {
  id: string;
  text: string;
  required: boolean;
  visible_if: Predicate | null;
  kind: "binary" | "one_of" | "many_of";
  options: Option[];
}

export interface OrdinalQuestion {
  id: string;
  text: string;
  required: boolean;
  visible_if: Predicate | null;
  kind: "ordinal";
  low: number;
  high: number;
  low_label: string;
  high_label: string;
}

export interface Outline {
  vertices: [number, number, number][];
  sop_instance_uid: string;
  frame: number;
  frame_of_reference_uid: string | null;
  kind: "freehand" | "points";
  copy: CopyRecord | null;
}

export interface OutlineProblems {
  CT: string[];
  SPECT: string[];
}

export interface Outlines {
  CT: Outline | null;
  SPECT: Outline | null;
}

export interface OwnSession {
  code: string;
  number: number;
  task: "read" | "outline";
  state: "planned" | "open" | "closed";
  told: string;
  next: string | null;
  submitted: string[];
}

export interface PixelDescription {
  rows: number;
  columns: number;
  bits_allocated: number;
  bits_stored: number;
  high_bit: number;
  signed: boolean;
  samples: number;
  photometric: string;
}

export interface Predicate {
  question: string;
  equals?: string | number;
  in?: (string | number)[];
}

export interface Preferences {
  backend: "auto" | "cpu" | "gpu";
  layout: "six" | "pair" | "axial" | "single" | null;
  text_size: "normal" | "large";
  single_keys: boolean;
  keys: Record<string, string>;
}

export interface Preset {
  name: string;
  lower: number;
  upper: number;
}

export interface Problems {
  answers: Record<string, string>;
  outlines: OutlineProblems;
}

export type Question = OptionQuestion | OrdinalQuestion | IntegerQuestion | TextQuestion;

export interface ReleasedAid {
  probability: number;
  model: string;
}

export interface ReopenAnswer {
  version: number;
}

export interface ReopenIn {
  reason_code: "slip" | "technical" | "protocol" | "other";
  reason: string;
}

export interface Rescale {
  slope: number;
  intercept: number;
  unit: string;
}

export interface SaveAnswer {
  version: number;
  saved_at: string;
  problems: Problems;
}

export interface SavedDraft {
  version: number;
  document: DraftDocument | null;
  outlines: Outlines[];
}

export interface SeriesDocument {
  role: "CT" | "SPECT" | "WB-ANT" | "WB-POST";
  title: string;
  study_uid: string;
  series_uid: string;
  frame_of_reference_uid: string | null;
  pixel: PixelDescription;
  rescale: Rescale;
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

export interface SignatureIn {
  password: string;
  totp?: string;
}

export interface SubmitAnswer {
  state: "submitted";
  next: string | null;
  home: string;
}

export interface SubmitIn {
  version: number;
}

export interface TextQuestion {
  id: string;
  text: string;
  required: boolean;
  visible_if: Predicate | null;
  kind: "text";
  max_length: number;
}

export interface TimingEvent {
  seq: number;
  t_ms: number;
  kind: string;
  detail: Record<string, string | number | boolean>;
}

export interface WholeBodyPixels {
  anterior: [number, number] | null;
  posterior: [number, number] | null;
}
