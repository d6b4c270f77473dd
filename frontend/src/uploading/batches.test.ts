import { expect, test } from "vitest";
import { inBatches, sideBySide } from "./batches.ts";

const sized = (...sizes: number[]): { size: number }[] => sizes.map((size) => ({ size }));
const sizes = (batches: { size: number }[][]): number[][] => batches.map((b) => b.map((f) => f.size));

test("nothing chosen makes no batch", () => {
  expect(inBatches([])).toEqual([]);
});

test("a batch ends before the file that would make it too large", () => {
  expect(sizes(inBatches(sized(4, 4, 4, 2), { maxBytes: 10 }))).toEqual([
    [4, 4],
    [4, 2],
  ]);
});

test("a batch may be filled to the last byte", () => {
  expect(sizes(inBatches(sized(4, 6, 1), { maxBytes: 10 }))).toEqual([[4, 6], [1]]);
});

test("a file larger than a batch goes alone, in its place", () => {
  expect(sizes(inBatches(sized(1, 99, 1), { maxBytes: 10 }))).toEqual([[1], [99], [1]]);
});

test("a batch holds no more files than allowed", () => {
  expect(sizes(inBatches(sized(1, 1, 1, 1, 1), { maxFiles: 2 }))).toEqual([[1, 1], [1, 1], [1]]);
});

test("500 small files make three batches of at most 200", () => {
  expect(inBatches(sized(...Array<number>(500).fill(9))).map((b) => b.length)).toEqual([200, 200, 100]);
});

test("no more than the given number of items is worked on at once, and each once", async () => {
  let now = 0;
  let most = 0;
  const seen: number[] = [];
  await sideBySide([1, 2, 3, 4, 5], 2, async (item) => {
    now += 1;
    most = Math.max(most, now);
    await Promise.resolve();
    seen.push(item);
    now -= 1;
  });
  expect(most).toBe(2);
  expect(seen.sort()).toEqual([1, 2, 3, 4, 5]);
});

test("after a failure nothing new begins, what runs is waited for, and the failure is told", async () => {
  const ended: number[] = [];
  const work = async (item: number): Promise<void> => {
    if (item === 1) throw new Error("no room");
    await new Promise((resolve) => setTimeout(resolve, 5));
    ended.push(item);
  };
  await expect(sideBySide([1, 2, 3, 4], 2, work)).rejects.toThrow("no room");
  expect(ended).toEqual([2]);
});
