import { expect, test } from "vitest";
import { Rate, readableBytes, readableWait } from "./rate.ts";

test("one mark tells no pace", () => {
  const rate = new Rate();
  rate.add(0, 100);
  expect(rate.bytesPerSecond).toBeNull();
  expect(rate.secondsLeft(10)).toBeNull();
});

test("the pace is bytes over the time between first and last mark", () => {
  const rate = new Rate();
  rate.add(1000, 0);
  rate.add(2000, 300);
  rate.add(3000, 1000);
  expect(rate.bytesPerSecond).toBe(500);
  expect(rate.secondsLeft(2500)).toBe(5);
});

test("what lies more than ten seconds back is forgotten", () => {
  const rate = new Rate();
  rate.add(0, 0);
  rate.add(10_000, 10_000_000);
  rate.add(15_000, 10_000_500);
  expect(rate.bytesPerSecond).toBe(100);
});

test("a standstill tells no time left", () => {
  const rate = new Rate();
  rate.add(0, 5);
  rate.add(1000, 5);
  expect(rate.secondsLeft(10)).toBeNull();
});

test.each([
  [0, "0 bytes"],
  [999, "999 bytes"],
  [1000, "1.0 KB"],
  [99_500, "100 KB"],
  [999_499, "999 KB"],
  [999_500, "1.0 MB"],
  [1_440_000, "1.4 MB"],
  [2e15, "2000 TB"],
])("%d bytes read as %s", (bytes, shown) => {
  expect(readableBytes(bytes)).toBe(shown);
});

test.each([
  [0.2, "1 s"],
  [40.1, "41 s"],
  [59.5, "1 min"],
  [61, "2 min"],
  [3600, "1 h"],
  [7500, "2 h 5 min"],
])("%d seconds read as %s", (seconds, shown) => {
  expect(readableWait(seconds)).toBe(shown);
});
