/** A file to be sent, with the name it had in the folder it came from. */
export interface Chosen {
  file: Blob;
  name: string;
  size: number;
}

export const MAX_FILES = 200;
export const MAX_BYTES = 64 * 2 ** 20;

/** Files in order, cut into batches of at most `maxFiles` and `maxBytes`; a larger file goes alone. */
export function inBatches<T extends { size: number }>(
  files: readonly T[],
  { maxFiles = MAX_FILES, maxBytes = MAX_BYTES } = {},
): T[][] {
  const batches: T[][] = [];
  let current: T[] = [];
  let bytes = 0;
  for (const file of files) {
    const isFull = current.length === maxFiles || bytes + file.size > maxBytes;
    if (current.length > 0 && isFull) {
      batches.push(current);
      current = [];
      bytes = 0;
    }
    current.push(file);
    bytes += file.size;
  }
  return current.length > 0 ? [...batches, current] : batches;
}

/** Runs `work` on all items, at most `width` at once; the first failure stops what has not begun. */
export async function sideBySide<T>(
  items: readonly T[],
  width: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let hasFailed = false;
  const lane = async (): Promise<void> => {
    while (next < items.length && !hasFailed) {
      const index = next;
      next += 1;
      try {
        await work(items[index] as T, index);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(width, items.length) }, lane));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
