/** The reading room's documents as the server's schema describes them, and names for parts of them. */
import type { Case, CopyRecord, DraftDocument, Outline, Preferences, SeriesDocument } from "./generated.ts";

export type {
  Case,
  CaseDocument,
  CaseUrls,
  CopyRecord,
  DraftDocument,
  ImageDocument,
  Judgement,
  Option,
  Outline,
  Outlines,
  Predicate,
  Preferences,
  Preset,
  Problems,
  Question,
  SaveAnswer,
  SavedDraft,
  SeriesDocument,
  SubmitAnswer,
  TimingEvent,
} from "./generated.ts";

export type Vec3 = Outline["vertices"][number];
export type Slot = CopyRecord["source"];
export type Role = SeriesDocument["role"];
export type Backend = Preferences["backend"];
export type LayoutName = NonNullable<Preferences["layout"]>;
export type CaseState = Case["state"];
export type Answers = DraftDocument["answers"];
export type Answer = Answers[string];
