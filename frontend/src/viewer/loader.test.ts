import { beforeEach, describe, expect, it, vi } from "vitest";
import { caseFixture } from "../api/case_fixture.ts";
import { startWorld } from "../reading/desk_fixture.ts";
import { type ImageError, ImageLoader, isCached } from "./loader.ts";
import { provideMetadata } from "./metadata.ts";
import { cache, metaData, played } from "./toolkit_fixture.ts";

vi.mock("@cornerstonejs/core", () => import("./toolkit_fixture.ts"));
vi.mock("@cornerstonejs/metadata", () => import("./toolkit_fixture.ts"));
beforeEach(startWorld);

const idOf = (image: number, role = "CT"): string => `wadors:/reading/cases/K7Q2/dicomweb/${role}/${image}`;
const ONE = idOf(1);

function start(): ImageLoader {
  const { series } = caseFixture();
  provideMetadata(series);
  return new ImageLoader(series);
}
/** What a load came to, once all pauses have passed. */
async function outcome(loader: ImageLoader, id: string): Promise<string> {
  const said = loader.load(id).then(
    () => "loaded",
    (error: ImageError) => `${error.status}: ${error.message}`,
  );
  await vi.advanceTimersByTimeAsync(5000);
  return said;
}

describe("one image", () => {
  it("is asked for once, however many ask at the same time", async () => {
    const loader = start();
    await Promise.all([loader.load(ONE), loader.load(ONE), loader.load(ONE)]);
    expect(played.requests).toEqual([ONE]);
  });
  it("that is here is not asked for again", async () => {
    const loader = start();
    expect(isCached(ONE)).toBe(false);
    await loader.load(ONE);
    await loader.load(ONE);
    expect(played.requests).toHaveLength(1);
    expect(isCached(ONE)).toBe(true);
  });
  it.each([404, 500, 502, 503, 504])(
    "is tried three times against a %i, then given up with it",
    async (status) => {
      played.failures.set(ONE, [status, status, status, status]);
      expect(await outcome(start(), ONE)).toBe(`${status}: The image did not arrive (status ${status}).`);
      expect(played.requests).toHaveLength(3);
    },
  );
  it("comes with the second or the third try", async () => {
    played.failures.set(ONE, [503]);
    played.failures.set(idOf(2), [503, 404]);
    const loader = start();
    expect([await outcome(loader, ONE), await outcome(loader, idOf(2))]).toEqual(["loaded", "loaded"]);
    expect(played.requests).toHaveLength(5);
  });
  it("waits half a second before the second try and a whole one before the third", async () => {
    played.failures.set(ONE, [500, 500, 500]);
    const said = start()
      .load(ONE)
      .catch(() => "failed");
    const seen: number[] = [];
    for (const ms of [0, 499, 1, 999, 1]) {
      await vi.advanceTimersByTimeAsync(ms);
      seen.push(played.requests.length);
    }
    expect(seen).toEqual([1, 1, 2, 2, 3]);
    expect(await said).toBe("failed");
  });
  it("is not tried again without a session: the reader signs in first", async () => {
    played.failures.set(ONE, [401, 401, 401]);
    expect(await outcome(start(), ONE)).toMatch(/^401/);
    expect(played.requests).toHaveLength(1);
  });
  it.each([0, 65535, 65537, 131072])(
    "of %i pixels in place of 65,536 counts as no image, and is not kept",
    async (pixels) => {
      played.lengths.set(ONE, pixels);
      expect(await outcome(start(), ONE)).toBe("0: The image did not arrive or cannot be read.");
      expect(cache.getImage(ONE)).toBeUndefined();
    },
  );
  it("of another case is never taken for one of this", async () => {
    const { series } = caseFixture();
    provideMetadata(series);
    expect(await outcome(new ImageLoader([]), ONE)).toMatch(/^0/);
  });
  it("given up can be asked for anew", async () => {
    played.failures.set(ONE, [500, 500, 500]);
    const loader = start();
    expect(await outcome(loader, ONE)).toMatch(/^500/);
    expect(await outcome(loader, ONE)).toBe("loaded");
  });
});

describe("all images of a case", () => {
  const ids = Array.from({ length: 20 }, (_, k) => idOf(k + 1));
  it("are asked for in the given order, at most six at a time", async () => {
    expect(await start().loadAll(ids, () => undefined)).toEqual([]);
    expect(played.requests).toEqual(ids);
    expect(played.mostInFlight).toBe(6);
  });
  it("tell how far they are, one by one up to the last", async () => {
    const seen: number[] = [];
    await start().loadAll(ids, (done) => seen.push(done));
    expect(seen).toEqual(ids.map((_, k) => k + 1));
  });
  it("that fail are named and keep none of the others back", async () => {
    for (const id of [ids[3], ids[11]] as string[]) played.failures.set(id, [404, 404, 404]);
    const said = start().loadAll(ids, () => undefined);
    await vi.advanceTimersByTimeAsync(5000);
    expect((await said).sort()).toEqual([ids[3], ids[11]].sort());
    expect(ids.filter(isCached)).toHaveLength(18);
  });
  it("of nothing are nothing", async () => {
    expect(await start().loadAll([], () => undefined)).toEqual([]);
  });
});

describe("a case that is closed", () => {
  it("starts no further request", async () => {
    const loader = start();
    const ids = Array.from({ length: 30 }, (_, k) => idOf(k + 1));
    const all = loader.loadAll(ids, () => void loader.close());
    await vi.advanceTimersByTimeAsync(3000);
    await all;
    expect(played.requests.length).toBeLessThanOrEqual(12);
  });
  it("makes no second try", async () => {
    played.failures.set(ONE, [503, 503, 503]);
    const loader = start();
    const said = loader.load(ONE);
    await vi.advanceTimersByTimeAsync(100);
    void loader.close();
    await vi.advanceTimersByTimeAsync(3000);
    await said;
    expect(played.requests).toHaveLength(1);
  });
  it("is closed at once where nothing is under way", async () => {
    await expect(start().close()).resolves.toBeUndefined();
  });
});

describe("T3: what the toolkit knows of a case", () => {
  it("is its series' geometry, and nothing once it is forgotten", () => {
    const forget = provideMetadata(caseFixture().series);
    expect(metaData.get("imagePlaneModule", ONE)).toMatchObject({
      imagePositionPatient: [-249.0234375, -249.0234375, -45],
    });
    forget();
    expect(metaData.get("imagePlaneModule", ONE)).toBeUndefined();
  });
  it("is that of the new geometry after the same address came again", () => {
    provideMetadata(caseFixture().series)();
    const moved = caseFixture().series;
    for (const series of moved) for (const image of series.images) image.position = [1, 2, 3];
    provideMetadata(moved);
    expect(metaData.get("imagePlaneModule", ONE)).toMatchObject({ imagePositionPatient: [1, 2, 3] });
  });
});
