import { cache, Enums, imageLoader } from "@cornerstonejs/core";
import type { SeriesDocument } from "../api/types.ts";
import { imageIdOf } from "./answers.ts";
import { bufferType } from "./pixel_type.ts";

/** Three tries, with these pauses before each. */
const PAUSES_MS = [0, 500, 1000];
const IN_FLIGHT = 6;
const LONGEST_CLOSE_MS = 3000;
const REQUEST = { priority: 0, requestType: Enums.RequestType.Interaction };

/** An image that three tries did not bring; `status` is the last HTTP status, 0 for none. */
export class ImageError extends Error {
  readonly status: number;
  constructor(status: number) {
    super(
      status === 0
        ? "The image did not arrive or cannot be read."
        : `The image did not arrive (status ${status}).`,
    );
    this.status = status;
  }
}

const statusOf = (error: unknown): number => {
  if (typeof error !== "object" || error === null) return 0;
  const inner =
    "error" in error && typeof error.error === "object" && error.error !== null ? error.error : error;
  return "status" in inner && typeof inner.status === "number" ? inner.status : 0;
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const isCached = (imageId: string): boolean => cache.getImage(imageId) !== undefined;

interface Expected {
  pixels: number;
  type: ReturnType<typeof bufferType>;
}

/** Loads images of one case into the shared cache, each at most once at a time, each tried three times. */
export class ImageLoader {
  readonly #pending = new Map<string, Promise<void>>();
  readonly #expected = new Map<string, Expected>();
  #closed = false;

  constructor(allSeries: readonly SeriesDocument[]) {
    for (const series of allSeries) {
      const expected = { pixels: series.pixel.rows * series.pixel.columns, type: bufferType(series) };
      for (const image of series.images) this.#expected.set(imageIdOf(image), expected);
    }
  }

  /** Starts nothing more; resolves when what was under way has settled, or has had time enough. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.race([Promise.allSettled(this.#pending.values()), pause(LONGEST_CLOSE_MS)]);
  }

  load(imageId: string): Promise<void> {
    if (isCached(imageId)) return Promise.resolve();
    const running = this.#pending.get(imageId);
    if (running !== undefined) return running;
    const started = this.#tryThrice(imageId).finally(() => this.#pending.delete(imageId));
    this.#pending.set(imageId, started);
    return started;
  }

  /** Loads in the given order, six at a time; resolves to the ids that could not be had. */
  async loadAll(imageIds: readonly string[], onProgress: (done: number) => void): Promise<string[]> {
    const queue = [...imageIds];
    const failed: string[] = [];
    let done = 0;
    const worker = async (): Promise<void> => {
      for (let id = queue.shift(); id !== undefined && !this.#closed; id = queue.shift()) {
        const current = id;
        await this.load(current).catch(() => failed.push(current));
        done += 1;
        onProgress(done);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
    return failed;
  }

  async #tryThrice(imageId: string): Promise<void> {
    let status = 0;
    for (const [attempt, wait] of PAUSES_MS.entries()) {
      if (attempt > 0) await pause(wait);
      if (this.#closed) return;
      const failure = await this.#tryOnce(imageId);
      if (failure === null) return;
      status = failure;
      if (status === 401) break;
    }
    throw new ImageError(status);
  }

  /** Null on success, else the HTTP status; a body of the wrong length counts as no image. */
  async #tryOnce(imageId: string): Promise<number | null> {
    const expected = this.#expected.get(imageId);
    const targetBuffer = { type: expected?.type ?? "Float32Array" };
    try {
      const image = await imageLoader.loadAndCacheImage(imageId, { ...REQUEST, targetBuffer } as never);
      if (image.getPixelData().length === expected?.pixels) return null;
      throw new ImageError(0);
    } catch (error) {
      if (cache.getImageLoadObject(imageId)) cache.removeImageLoadObject(imageId, { force: true });
      return statusOf(error);
    }
  }
}
