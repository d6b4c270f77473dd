import { type Check, flag, list, mapOf, object, orNull, text, whole } from "../api/schema.ts";
import { type Chosen, inBatches, MAX_BYTES, MAX_FILES, sideBySide } from "./batches.ts";
import { Rate } from "./rate.ts";
import { type Answer, persistently } from "./sending.ts";

export interface Problem {
  name: string;
  outcome: string;
  sentence: string;
}
export interface Import {
  code: string;
  study: string;
  warning: string;
  started_at: string;
  ended_at: string | null;
  outcomes: Record<string, number>;
  problems: Problem[];
}
export interface Progress {
  stage: "looking" | "sending" | "done";
  files: number;
  filesDone: number;
  bytes: number;
  bytesDone: number;
  bytesPerSecond: number | null;
  secondsLeft: number | null;
  seen: Import | null;
}

/** What an upload needs from the world; given from outside so that tests can play the world. */
export interface Ports {
  post: (path: string, body: unknown) => Promise<Answer>;
  put: (path: string, form: FormData, onBytes: (sent: number) => void) => Promise<Answer>;
  wait: (seconds: number) => Promise<void>;
  now: () => number;
  sha256: ((file: Blob) => Promise<string>) | null;
}

const AT_ONCE = 2;
const problem = object({ name: text, outcome: text, sentence: text });
const importShape: Check = object({
  code: text,
  study: text,
  warning: text,
  started_at: text,
  ended_at: orNull(text),
  outcomes: mapOf(whole),
  problems: list(problem),
});
const knownShape: Check = object({ known: list(flag) });

function checked<T>(body: unknown, shape: Check): T {
  const fault = shape(body, "answer");
  if (fault !== null) throw new Error(`The server's answer was not understood (${fault}); reload the page.`);
  return body as T;
}

/** One import from the browser: begin, leave out what the server has, send the rest in batches, end. */
export class Upload {
  readonly #ports: Ports;
  readonly #say: (progress: Progress) => void;
  readonly #rate = new Rate();
  readonly #inFlight = new Map<number, number>();
  #batch = 0;
  #progress: Progress = {
    stage: "looking",
    files: 0,
    filesDone: 0,
    bytes: 0,
    bytesDone: 0,
    bytesPerSecond: null,
    secondsLeft: null,
    seen: null,
  };
  #settled = 0;
  #carried = 0;
  #most = 0;

  constructor(ports: Ports, onProgress: (progress: Progress) => void) {
    this.#ports = ports;
    this.#say = onProgress;
  }

  async run(chosen: readonly Chosen[], isFolder: boolean): Promise<Import> {
    this.#progress.files = chosen.length;
    this.#progress.bytes = chosen.reduce((sum, one) => sum + one.size, 0);
    const begun = await this.#post<Import>("", null, importShape);
    this.#tell({ seen: begun });
    const unknown = await this.#leaveOutKnown(begun.code, chosen);
    this.#tell({ stage: "sending" });
    const batches = inBatches(unknown).map((files) => ({ files, number: this.#next() }));
    await sideBySide(batches, AT_ONCE, (batch) =>
      this.#send(begun.code, batch.number, batch.files, isFolder),
    );
    const ended = await this.#post<Import>(`${begun.code}/end/`, null, importShape);
    this.#tell({ stage: "done", seen: ended, secondsLeft: null });
    return ended;
  }

  #next(): number {
    this.#batch += 1;
    return this.#batch;
  }

  async #post<T>(path: string, body: unknown, shape: Check): Promise<T> {
    const answer = await persistently(() => this.#ports.post(path, body), this.#ports.wait);
    return checked<T>(answer, shape);
  }

  /** Files up to the batch size are asked for by digest; larger ones are sent, and known then. */
  async #leaveOutKnown(code: string, chosen: readonly Chosen[]): Promise<Chosen[]> {
    const { sha256 } = this.#ports;
    if (sha256 === null) return [...chosen];
    const unknown: Chosen[] = chosen.filter((one) => one.size > MAX_BYTES);
    const small = chosen.filter((one) => one.size <= MAX_BYTES);
    for (const part of inBatches(small, { maxFiles: MAX_FILES, maxBytes: MAX_BYTES })) {
      const files = [];
      for (const { file, name, size } of part) files.push({ name, size, sha256: await sha256(file) });
      const asked = { batch: this.#next(), files };
      const { known } = await this.#post<{ known: boolean[] }>(`${code}/known/`, asked, knownShape);
      unknown.push(...part.filter((_, k) => known[k] !== true));
      this.#settle(part.filter((_, k) => known[k] === true));
    }
    return unknown;
  }

  async #send(code: string, number: number, files: readonly Chosen[], isFolder: boolean): Promise<void> {
    const form = new FormData();
    for (const { file, name } of files) {
      form.append("files", file, name.split("/").at(-1));
      form.append("names", name);
    }
    form.append("folder", String(isFolder));
    const onBytes = (sent: number): void => this.#sent(number, sent);
    const put = (): Promise<Answer> => this.#ports.put(`${code}/batches/${number}/`, form, onBytes);
    const body = await persistently(put, this.#ports.wait);
    this.#inFlight.delete(number);
    this.#progress.seen = checked<Import>(body, importShape);
    this.#carried += files.reduce((sum, one) => sum + one.size, 0);
    this.#settle(files);
  }

  #sent(number: number, bytes: number): void {
    this.#inFlight.set(number, bytes);
    this.#tell({});
  }

  #settle(files: readonly Chosen[]): void {
    this.#settled += files.reduce((sum, one) => sum + one.size, 0);
    this.#tell({ filesDone: this.#progress.filesDone + files.length });
  }

  #tell(change: Partial<Progress>): void {
    const { bytes } = this.#progress;
    const flying = [...this.#inFlight.values()].reduce((sum, one) => sum + one, 0);
    const bytesDone = Math.min(bytes, this.#settled + flying);
    // a batch that is sent again begins anew, which takes nothing back
    this.#most = Math.max(this.#most, this.#carried + flying);
    this.#rate.add(this.#ports.now(), this.#most);
    const secondsLeft = this.#rate.secondsLeft(bytes - bytesDone);
    const pace = { bytesPerSecond: this.#rate.bytesPerSecond, secondsLeft };
    this.#progress = { ...this.#progress, bytesDone, ...pace, ...change };
    this.#say(this.#progress);
  }
}
