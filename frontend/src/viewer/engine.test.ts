import { beforeEach, describe, expect, it, vi } from "vitest";
import { startWorld } from "../reading/desk_fixture.ts";
import { chooseBackend, hasWebGl2, startEngine } from "./engine.ts";
import { EVENTS, eventTarget, played } from "./toolkit_fixture.ts";

vi.mock("@cornerstonejs/core", () => import("./toolkit_fixture.ts"));
vi.mock("@cornerstonejs/dicom-image-loader", () => import("./toolkit_fixture.ts"));
beforeEach(startWorld);

const canvasWith = (context: object | null): void => {
  Object.assign(globalThis.document, { createElement: () => ({ getContext: () => context }) });
};

describe("T20: WebGL 2 is asked for before anything is built", () => {
  it("a browser without it says no", () => {
    canvasWith(null);
    expect(hasWebGl2()).toBe(false);
  });
  it("a browser with it says yes, and the probe gives its context back", () => {
    const loseContext = vi.fn();
    canvasWith({ getExtension: () => ({ loseContext }) });
    expect(hasWebGl2()).toBe(true);
    expect(loseContext).toHaveBeenCalledTimes(1);
  });
  it("a context that cannot be given back is enough", () => {
    canvasWith({ getExtension: () => null });
    expect(hasWebGl2()).toBe(true);
  });
});

describe("the backend", () => {
  it.each([
    ["auto", true, "cpu"],
    ["auto", false, "gpu"],
    ["cpu", false, "cpu"],
    ["cpu", true, "cpu"],
    ["gpu", true, "gpu"],
    ["gpu", false, "gpu"],
  ] as const)("wished %s, a program in place of a GPU: %s, is %s", (wish, softwareOnly, backend) => {
    expect(chooseBackend(wish, softwareOnly)).toBe(backend);
    played.softwareOnly = softwareOnly;
    expect(startEngine(wish, () => undefined).backend()).toBe(backend);
    expect(played.backends.at(-1)).toBe(backend);
  });
});

describe("T21: a lost GPU", () => {
  it.each([EVENTS.WEBGL_CONTEXT_LOST, EVENTS.RENDER_PATH_ERROR])(
    "told by %s moves to the CPU and says so once",
    (name) => {
      const said = vi.fn();
      const engine = startEngine("gpu", said);
      for (let k = 0; k < 3; k += 1) eventTarget.dispatchEvent(new Event(name));
      expect(engine.backend()).toBe("cpu");
      expect(said.mock.calls).toEqual([[name]]);
      expect(played.backends).toEqual(["gpu", "cpu"]);
    },
  );
  it("is no matter where the CPU draws already", () => {
    const said = vi.fn();
    const engine = startEngine("cpu", said);
    eventTarget.dispatchEvent(new Event(EVENTS.WEBGL_CONTEXT_LOST));
    expect([engine.backend(), said.mock.calls]).toEqual(["cpu", []]);
  });
  it("of a case that is closed is nobody's", () => {
    const said = vi.fn();
    startEngine("gpu", said).dispose();
    eventTarget.dispatchEvent(new Event(EVENTS.WEBGL_CONTEXT_LOST));
    expect(said).not.toHaveBeenCalled();
  });
});
