import { describe, expect, it, vi } from "vitest";
import { createStore } from "./store.ts";

describe("a store", () => {
  it("replaces only the parts that are given", () => {
    const store = createStore({ a: 1, b: "x" });
    store.set({ b: "y" });
    expect(store.get()).toEqual({ a: 1, b: "y" });
  });
  it("never changes a value that was read before", () => {
    const first = { a: 1 };
    const store = createStore(first);
    store.set({ a: 2 });
    expect(first).toEqual({ a: 1 });
    expect(store.get()).not.toBe(first);
  });
  it("tells each listener once for each change, after the change", () => {
    const store = createStore({ a: 1 });
    const seen: number[] = [];
    store.subscribe(() => seen.push(store.get().a));
    store.set({ a: 2 });
    store.set({ a: 3 });
    expect(seen).toEqual([2, 3]);
  });
  it("tells all of them, and nobody who has left", () => {
    const store = createStore({ a: 1 });
    const [stays, leaves] = [vi.fn(), vi.fn()];
    store.subscribe(stays);
    const leave = store.subscribe(leaves);
    leave();
    leave();
    store.set({ a: 2 });
    expect(stays).toHaveBeenCalledTimes(1);
    expect(leaves).not.toHaveBeenCalled();
  });
  it("a listener that changes it again is told of its own change, too", () => {
    const store = createStore({ a: 0 });
    store.subscribe(() => {
      if (store.get().a < 3) store.set({ a: store.get().a + 1 });
    });
    store.set({ a: 1 });
    expect(store.get().a).toBe(3);
  });
  it("a listener that leaves while it is told keeps none of the others from hearing", () => {
    const store = createStore({ a: 0 });
    const after = vi.fn();
    const leave = store.subscribe(() => void leave());
    store.subscribe(after);
    store.set({ a: 1 });
    expect(after).toHaveBeenCalledTimes(1);
  });
});
