import { beforeEach, describe, expect, it, vi } from "vitest";
import type { CaseDocument, SeriesDocument, Vec3 } from "../api/types.ts";
import { DeskWorld, startWorld } from "../reading/desk_fixture.ts";
import type { PageElement } from "./dom_fixture.ts";
import type { PaneId } from "./pane.ts";
import { cache, EVENTS, eventTarget, metaData, played } from "./toolkit_fixture.ts";

vi.mock("@cornerstonejs/core", () => import("./toolkit_fixture.ts"));
vi.mock("@cornerstonejs/metadata", () => import("./toolkit_fixture.ts"));
vi.mock("@cornerstonejs/dicom-image-loader", () => import("./toolkit_fixture.ts"));
beforeEach(startWorld);

const wholeBody = (role: "WB-ANT" | "WB-POST", spect: SeriesDocument): SeriesDocument => ({
  ...spect,
  role,
  title: role,
  frame_of_reference_uid: null,
  orientation: null,
  volume_ok: false,
  pixel: { ...spect.pixel, rows: 1024, columns: 256 },
  images: [
    { sop_instance_uid: "2.25.5", frame: role === "WB-ANT" ? 1 : 2, position: null, url: `/wb/${role}` },
  ],
});
const seriesOf = (document: CaseDocument, role: SeriesDocument["role"]): SeriesDocument => {
  const series = document.series.find((one) => one.role === role);
  if (series === undefined) throw new Error(`no ${role}`);
  return series;
};
const withWholeBody = (document: CaseDocument): void => {
  const spect = seriesOf(document, "SPECT");
  document.series.push(wholeBody("WB-ANT", spect), wholeBody("WB-POST", spect));
};
const opened = (change: (document: CaseDocument) => void = () => undefined): Promise<DeskWorld> =>
  new DeskWorld(change).open();
const idOf = (role: "CT" | "SPECT", image: number): string =>
  `wadors:/reading/cases/K7Q2/dicomweb/${role}/${image}`;
const letters = (world: DeskWorld, id: PaneId): string[] => {
  const { children } = world.pane(id).dom.root as unknown as PageElement;
  const edge = (name: string): string =>
    children.find(({ className }) => className === `letter ${name}`)?.textContent ?? "";
  return ["left", "right", "top", "bottom"].map(edge);
};
const reason = (world: DeskWorld, id: PaneId): string => {
  const { children } = world.pane(id).dom.root as unknown as PageElement;
  const cover = children.find(({ className }) => className === "pane-cover");
  return cover?.children[0]?.textContent ?? "";
};
const shown = (world: DeskWorld, ...ids: PaneId[]): number[] => ids.map((id) => world.pane(id).index);
const FUSED = ["fused-axial", "fused-sagittal", "fused-coronal"] as const;

describe("opening a case", () => {
  it("shows the lesion in every pane", async () => {
    const world = await opened();
    expect(shown(world, "ct", "spect", ...FUSED)).toEqual([30, 41, 30, 137, 163]);
  });
  it("asks for the lesion's CT slice and SPECT frame before anything else, then outwards, alternating", async () => {
    await opened();
    expect(played.requests.slice(0, 2)).toEqual([idOf("CT", 31), idOf("SPECT", 42)]);
    expect(played.requests.slice(2, 6)).toEqual([
      idOf("CT", 32),
      idOf("SPECT", 43),
      idOf("CT", 30),
      idOf("SPECT", 41),
    ]);
  });
  it("T30: asks for every image once, for stacks and volumes together, at most six at a time", async () => {
    await opened(withWholeBody);
    expect(played.requests).toHaveLength(60 + 80 + 2);
    expect(new Set(played.requests).size).toBe(142);
    expect(played.mostInFlight).toBeLessThanOrEqual(6);
  });
  it("T18: lays the SPECT volume over the CT volume, never over a stack", async () => {
    await opened();
    expect(played.mounts).toContain(
      "fused-axial: cornerstoneStreamingImageVolume:ct + cornerstoneStreamingImageVolume:spect",
    );
  });
  it("T15: dresses the overlay with one opacity and a threshold of a tenth of its upper bound", async () => {
    await opened();
    const overlay = played.presentations.find(
      ({ pane, id }) => pane === "fused-axial" && id.endsWith(":spect"),
    );
    expect(overlay?.look).toMatchObject({
      visible: true,
      voiRange: { lower: 0, upper: 700 },
      colormap: { name: "Inferno (matplotlib)", opacity: 0.5, threshold: 70 },
    });
  });
  it("T16: interpolates linearly, and by nearest neighbour when switched", async () => {
    const world = await opened();
    const kinds = (): (number | undefined)[] =>
      played.presentations.filter(({ pane }) => pane === "ct").map(({ look }) => look.interpolationType);
    await world.run("pane-ct", "interpolation");
    expect([kinds()[0], kinds().at(-1)]).toEqual([1, 0]);
  });
  it.each([
    ["beyond the last slice", [18, 70, 500], 59, 79],
    ["below the first slice", [18, 70, -900], 0, 0],
  ] as [string, Vec3, number, number][])(
    "of a lesion %s opens at the nearest one",
    async (_, lesion, ct, spect) => {
      const world = await opened((document) => {
        document.case.lesion.world = lesion;
      });
      expect(shown(world, "ct", "spect")).toEqual([ct, spect]);
    },
  );
  it("of a CT with one slice shows that slice", async () => {
    const world = await opened((document) => {
      const ct = seriesOf(document, "CT");
      ct.images = ct.images.slice(30, 31);
    });
    expect([world.pane("ct").state, world.pane("ct").count]).toEqual(["ready", 1]);
  });
  it("shows what the case does not have, in its place", async () => {
    const world = await opened((document) => {
      document.series = document.series.filter(({ role }) => role !== "SPECT");
    });
    expect(reason(world, "spect")).toBe("This case has no SPECT axial images.");
    expect(reason(world, "wb-ant")).toBe("This case has no Anterior images.");
    for (const id of FUSED) expect(reason(world, id)).toBe("This case has no SPECT.");
    expect(world.pane("ct").state).toBe("ready");
  });
  it("says of a whole-body view that the file does not name that it is assumed", async () => {
    const world = await opened((document) => {
      withWholeBody(document);
      seriesOf(document, "WB-POST").title = "Posterior (assumed)";
    });
    expect(world.pane("wb-ant").facts.title).toBe("Anterior");
    expect(world.pane("wb-post").facts.title).toBe("Posterior (assumed)");
    expect(world.pane("ct").facts.title).toBe("CT axial");
  });
  it("V18: comes back to the saved slice, focus and look", async () => {
    const look = { lower: 0, upper: 90, zoom: 3, slice: "2.25.1012|1" };
    const world = await opened((document) => {
      document.case.draft = {
        version: 4,
        document: {
          answers: {},
          outlines: { CT: null, SPECT: null },
          looks: { ct: look },
          focus: [18, 70, 50],
        },
      };
    });
    expect(world.pane("ct").index).toBe(12);
    expect(world.pane("ct").look).toMatchObject({ lower: 0, upper: 90, zoom: 3 });
    expect(world.pane("fused-axial").index).toBe(38);
  });
});

describe("T2: geometry comes from the server", () => {
  it.each([
    ["ascending", 4.4179, 42],
    ["served the other way round", -4.4179, 39],
  ])("the hot spot is found with frames %s", async (_, step, frame) => {
    const world = await opened((document) => {
      const spect = seriesOf(document, "SPECT");
      spect.images.forEach((image, k) => {
        const z = step > 0 ? 199.0141 - 4.4179 * (79 - k) : 199.0141 - 4.4179 * k;
        image.position = [-280.53665, -280.53665, z];
      });
    });
    expect(world.pane("spect").plane?.image?.frame).toBe(frame);
    expect(Math.abs(world.pane("spect").distanceTo([18, 70, 30]) ?? 99)).toBeCloseTo(1.1339, 4);
  });
  it("the lesion is in the shown plane of a tilted series", async () => {
    const [c, s] = [Math.cos(Math.PI / 18), Math.sin(Math.PI / 18)];
    const world = await opened((document) => {
      const ct = seriesOf(document, "CT");
      ct.orientation = [1, 0, 0, 0, c, s];
      ct.images.forEach((image, k) => {
        image.position = [-249, -249 - 2.5 * k * s, -45 + 2.5 * k * c];
      });
    });
    expect(Math.abs(world.pane("ct").distanceTo([18, 70, 30]) ?? 99)).toBeLessThanOrEqual(1.25 + 1e-9);
  });
});

describe("linking", () => {
  it("moves every other pane to the plane of the scrolled one, and not the scrolled one", async () => {
    const world = await opened();
    world.pane("ct").scroll(8);
    await world.pass(10);
    expect(world.desk.viewer?.focus).toEqual([18, 70, 50]);
    expect(shown(world, "ct", "spect", "fused-axial")).toEqual([38, 45, 38]);
    expect(shown(world, "fused-sagittal", "fused-coronal")).toEqual([137, 163]);
  });
  it("T10: a step in a fused pane is a step to the head in CT, too", async () => {
    const world = await opened();
    await world.run("pane-fused-axial", "slice-next");
    await world.pass(10);
    expect(world.pane("ct").plane?.position[2]).toBe(32.5);
  });
  it("of the sagittal pane moves along patient left alone", async () => {
    const world = await opened();
    await world.run("pane-fused-sagittal", "slice-next");
    const [x, y, z] = world.desk.viewer?.focus ?? [0, 0, 0];
    expect(x).toBeCloseTo(-249.0234375 + 138 * 1.953125, 9);
    expect([y, z]).toEqual([70, 30]);
  });
  it("off leaves the others and the focus where they are", async () => {
    const world = await opened();
    await world.run("pane-ct", "link", "slice-next-5");
    expect(shown(world, "ct", "spect")).toEqual([35, 41]);
    expect(world.desk.viewer?.focus).toEqual([18, 70, 30]);
  });
  it("is off where CT and SPECT share no space", async () => {
    const world = await opened((document) => {
      document.case.registration = { ok: false, reason: "CT and SPECT do not share a space." };
    });
    world.pane("ct").scroll(8);
    await world.pass(10);
    expect(shown(world, "ct", "spect")).toEqual([38, 41]);
    for (const id of FUSED) expect(reason(world, id)).toBe("CT and SPECT do not share a space.");
  });
  it("T28: never moves a whole-body pane, nor is moved by one", async () => {
    const world = await opened(withWholeBody);
    world.pane("wb-ant").scroll(1);
    await world.pass(10);
    expect(world.desk.viewer?.focus).toEqual([18, 70, 30]);
    expect(world.pane("wb-ant").distanceTo([0, 0, 0])).toBeNull();
  });
  it("leads back to the lesion by one key", async () => {
    const world = await opened();
    world.pane("ct").scroll(20);
    await world.pass(10);
    await world.run("lesion");
    expect(shown(world, "ct", "spect", ...FUSED)).toEqual([30, 41, 30, 137, 163]);
  });
  it("follows a click with the crosshair to the clicked place", async () => {
    const world = await opened();
    await world.run("crosshair");
    world.stroke("ct", [[240, 160]]);
    await world.pass(10);
    expect(world.desk.viewer?.focus[0]).toBeCloseTo(50, 4);
    expect(world.desk.viewer?.focus[1]).toBeCloseTo(-50, 4);
    expect(world.pane("fused-sagittal").index).toBe(Math.round((50 + 249.0234375) / 1.953125));
  });
});

describe("letters at the edges", () => {
  it.each([
    ["ct", ["R", "L", "A", "P"]],
    ["spect", ["R", "L", "A", "P"]],
    ["fused-axial", ["R", "L", "A", "P"]],
    ["fused-sagittal", ["A", "P", "H", "F"]],
    ["fused-coronal", ["R", "L", "H", "F"]],
    ["wb-ant", ["R", "L", "H", "F"]],
    ["wb-post", ["L", "R", "H", "F"]],
  ] as [PaneId, string[]][])("of %s are %j (left, right, top, bottom)", async (id, expected) => {
    expect(letters(await opened(withWholeBody), id)).toEqual(expected);
  });
  it("follow a patient who lies the other way round", async () => {
    const world = await opened((document) => {
      seriesOf(document, "CT").orientation = [-1, 0, 0, 0, -1, 0];
    });
    expect(letters(world, "ct")).toEqual(["L", "R", "P", "A"]);
  });
  it("name both directions of a strong tilt", async () => {
    const world = await opened((document) => {
      seriesOf(document, "CT").orientation = [1, 0, 0, 0, 0.8, -0.6];
    });
    expect(letters(world, "ct")).toEqual(["R", "L", "AH", "PF"]);
  });
});

describe("T12: a later image that does not arrive", () => {
  const failing = async (...statuses: number[]): Promise<DeskWorld> => {
    played.failures.set(idOf("CT", 32), statuses);
    const world = new DeskWorld();
    await world.open();
    return world;
  };
  it("covers the picture with the reason, and the slices beside it stay", async () => {
    const world = await failing(...Array<number>(9).fill(503));
    await world.pass(8000);
    world.pane("ct").scroll(1);
    await world.pass(8000);
    expect(world.pane("ct").state).toBe("error");
    expect(reason(world, "ct")).toBe("The image did not arrive (status 503).");
    world.pane("ct").scroll(1);
    await world.pass(10);
    expect([world.pane("ct").state, world.pane("ct").index]).toEqual(["ready", 32]);
  });
  it("is shown by a retry, on the right slice", async () => {
    const world = await failing(...Array<number>(6).fill(503));
    await world.pass(8000);
    world.pane("ct").scroll(1);
    await world.pass(8000);
    expect(world.pane("ct").state).toBe("error");
    await world.pane("ct").retry();
    expect([world.pane("ct").state, world.pane("ct").plane?.position[2]]).toEqual(["ready", 32.5]);
  });
  it("is asked for three times, after half a second and a second", async () => {
    const world = await failing(503, 503, 503);
    const asked = (): number => played.requests.filter((id) => id === idOf("CT", 32)).length;
    expect(asked()).toBe(1);
    await world.pass(460);
    expect(asked()).toBe(2);
    await world.pass(1000);
    expect(asked()).toBe(3);
  });
  it("is not asked for again by a user who is signed out", async () => {
    const world = await failing(401, 401, 401);
    await world.pass(5000);
    expect(played.requests.filter((id) => id === idOf("CT", 32))).toHaveLength(1);
  });
  it("with a body of the wrong length counts as no image", async () => {
    played.lengths.set(idOf("CT", 31), 17);
    const world = new DeskWorld();
    await world.open();
    await world.pass(4000);
    expect(world.pane("ct").state).toBe("error");
    expect(reason(world, "ct")).toBe("The image did not arrive or cannot be read.");
  });
});

describe("T13: a first image that does not arrive", () => {
  it("is mounted anew by a retry, and later slices can be shown", async () => {
    played.failures.set(idOf("SPECT", 42), [404, 404, 404]);
    const world = new DeskWorld();
    await world.open();
    await world.pass(4000);
    expect(world.pane("spect").state).toBe("error");
    await world.pane("spect").retry();
    expect(world.pane("spect").state).toBe("ready");
    world.pane("spect").scroll(3);
    await world.pass(10);
    expect(world.pane("spect").plane?.image?.frame).toBe(45);
  });
});

describe("T14: a volume of which images are missing", () => {
  it("is not built, and the fused panes say how many are missing", async () => {
    for (const k of [3, 9, 17, 25, 40, 55]) played.failures.set(idOf("CT", k), [503, 503, 503]);
    const world = new DeskWorld();
    await world.open();
    await world.pass(9000);
    for (const id of FUSED) {
      expect(world.pane(id).state).toBe("error");
      expect(reason(world, id)).toBe("Fusion is off: 6 of the images are missing.");
    }
    expect(played.mounts.filter((mount) => mount.startsWith("fused"))).toEqual([]);
  });
  it("is built when a retry brings the rest", async () => {
    played.failures.set(idOf("CT", 3), [503, 503, 503]);
    const world = new DeskWorld();
    await world.open();
    await world.pass(4000);
    expect(reason(world, "fused-axial")).toBe("Fusion is off: 1 of the images is missing.");
    await world.pane("fused-axial").retry();
    await world.pass(50);
    expect(world.pane("fused-axial").state).toBe("ready");
  });
  it("too large for the browser leaves the native panes on", async () => {
    played.volumeFault = true;
    const world = await opened();
    expect(reason(world, "fused-axial")).toBe("Fusion is off: the browser has not enough memory for it.");
    expect(world.pane("ct").state).toBe("ready");
  });
  it.each([
    ["CT", "A slice is missing."],
    ["SPECT", "The steps are not regular."],
  ] as const)("is not tried where the server found the %s unfit", async (role, why) => {
    const world = await opened((document) => {
      Object.assign(seriesOf(document, role), { volume_ok: false, volume_reason: why });
    });
    expect(reason(world, "fused-coronal")).toBe(why);
  });
  it("above the memory bar is off, which is stated", async () => {
    const world = await opened((document) => {
      const ct = seriesOf(document, "CT");
      const [first] = ct.images;
      if (first === undefined) return;
      ct.pixel = { ...ct.pixel, rows: 1024, columns: 1024 };
      ct.images = Array.from({ length: 300 }, (_, k) => ({ ...first, url: `/x/${k}`, position: [0, 0, k] }));
    });
    expect(reason(world, "fused-axial")).toBe("Fusion is off: the series are too large for this browser.");
  });
});

describe("the backend", () => {
  it.each([
    ["auto", true, "cpu"],
    ["auto", false, "gpu"],
    ["cpu", false, "cpu"],
    ["gpu", true, "gpu"],
  ] as const)("wished %s with a software rasteriser %s is %s", async (backend, softwareOnly, used) => {
    played.softwareOnly = softwareOnly;
    await opened((document) => {
      document.case.preferences.backend = backend;
    });
    expect(played.backends).toEqual([used]);
  });
  it("T21: falls back once after a lost context, same slice and zoom, and says so", async () => {
    played.softwareOnly = false;
    const world = await opened();
    world.pane("ct").scroll(2);
    world.pane("ct").setLook({ zoom: 4 });
    await world.pass(10);
    for (const name of [EVENTS.WEBGL_CONTEXT_LOST, EVENTS.RENDER_PATH_ERROR])
      eventTarget.dispatchEvent(new Event(name));
    expect(played.backends).toEqual(["gpu", "cpu"]);
    expect([world.pane("ct").index, world.pane("ct").look.zoom]).toEqual([32, 4]);
    expect(world.desk.state.announcement).toBe("The pictures are now drawn without the graphics card.");
    expect((await world.events()).map(({ kind }) => kind)).toContain("backend_changed");
  });
});

describe("T3, V15: after the case is closed", () => {
  it("the toolkit knows none of its images, and holds none", async () => {
    const world = await opened();
    expect(metaData.get("imagePlaneModule", idOf("CT", 31))).toBeDefined();
    await world.desk.close();
    expect(metaData.get("imagePlaneModule", idOf("CT", 31))).toBeUndefined();
    expect(cache.size()).toBe(0);
  });
  it("another import of the same image with new geometry is shown at its new place", async () => {
    await (await opened()).desk.close();
    const world = await opened((document) => {
      for (const image of seriesOf(document, "CT").images)
        image.position = [0, 0, (image.position?.[2] ?? 0) + 7];
    });
    expect(metaData.get("imagePlaneModule", idOf("CT", 31))).toMatchObject({
      imagePositionPatient: [0, 0, 37],
    });
    expect(world.pane("ct").plane?.position[2]).toBe(29.5);
  });
  it("loading that was under way starts nothing more", async () => {
    played.failures.set(idOf("CT", 2), [503, 503, 503]);
    const world = new DeskWorld();
    await world.open();
    const asked = played.requests.length;
    void world.desk.close();
    await world.pass(9000);
    expect(played.requests).toHaveLength(asked);
  });
});

describe("what a pane says of itself", () => {
  it("is its slice, counted from the feet, its image and its plane", async () => {
    const world = await opened();
    const { dataset, attributes } = world.pane("ct").dom.root as unknown as PageElement;
    expect([dataset.slice, dataset.image, dataset.plane]).toEqual([
      "31",
      "2.25.1030|1",
      "[-249.0234375,-249.0234375,30]",
    ]);
    expect(attributes.get("aria-label")).toBe("CT axial, slice 31 of 60");
  });
  it("is announced after a key, at most twice a second: the last slice of a burst", async () => {
    const world = await opened();
    for (let k = 0; k < 6; k += 1) world.pane("ct").scroll(1);
    await world.pass(400);
    expect(world.desk.state.announcement).toBe("");
    await world.pass(200);
    expect(world.desk.state.announcement).toBe("CT axial, slice 37 of 60");
  });
});
