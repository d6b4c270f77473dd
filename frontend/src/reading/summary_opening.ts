import type { Desk } from "./desk.ts";

/** Opens the summary once all is saved; a reader who went on working while the server was away is not interrupted. */
export class SummaryOpening {
  readonly #desk: Desk;
  #asked: { isLate: boolean } | null = null;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  async ask(): Promise<void> {
    const desk = this.#desk;
    const { answers, outlines } = desk.state;
    const asked = { isLate: false };
    this.#asked = asked;
    desk.autosave.changed();
    if (desk.autosave.status.kind === "retrying") this.late();
    const isSaved = await desk.autosave.settle();
    if (this.#asked !== asked) return;
    this.#asked = null;
    if (!isSaved) return;
    const hasGoneOn = answers !== desk.state.answers || outlines !== desk.state.outlines;
    if (asked.isLate && hasGoneOn) desk.say("Saved. The summary can be opened now.");
    else desk.store.set({ dialog: "summary" });
  }

  /** Saving takes another try: who waits for the summary is told. */
  late(): void {
    if (this.#asked === null) return;
    this.#asked.isLate = true;
    this.#desk.say("Not saved yet: the summary opens after saving.");
  }
}
