import { IDBFactory } from "fake-indexeddb";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { CaseDocument, DraftDocument, Outline } from "../api/types.ts";
import { played } from "../viewer/toolkit_fixture.ts";
import type { LocalCopy } from "./autosave.ts";
import { asOutlineCase, circleAt, DeskWorld, startWorld } from "./desk_fixture.ts";
import { draftKey, openLocalDrafts } from "./local_drafts.ts";

vi.mock("@cornerstonejs/core", () => import("../viewer/toolkit_fixture.ts"));
vi.mock("@cornerstonejs/metadata", () => import("../viewer/toolkit_fixture.ts"));
vi.mock("@cornerstonejs/dicom-image-loader", () => import("../viewer/toolkit_fixture.ts"));
beforeEach(startWorld);

const KEY = draftKey("o-77", "K7Q2");
const empty: DraftDocument = { answers: {}, outlines: { CT: null, SPECT: null }, looks: {}, focus: null };
const triangle: Outline = {
  vertices: [
    [10, 60, 30],
    [30, 60, 30],
    [20, 80, 30],
  ],
  sop_instance_uid: "2.25.1030",
  frame: 1,
  frame_of_reference_uid: "2.25.9",
  kind: "points",
  copy: null,
};
const withDraft =
  (version: number, document: DraftDocument | null) =>
  (opened: CaseDocument): void => {
    opened.case.draft = { version, document };
  };
const copyOf = (base_version: number, answers: DraftDocument["answers"]): LocalCopy => ({
  key: "kept-key",
  base_version,
  document: { ...empty, answers },
});
async function answered(world: DeskWorld): Promise<DeskWorld> {
  await world.run("call-metastasis", "confidence-4");
  await world.pass(2000);
  return world;
}

describe("answering", () => {
  it("a call is saved at once, a confidence when it has been quiet", async () => {
    const world = await new DeskWorld().open();
    await world.run("call-benign");
    expect(world.saves()).toHaveLength(1);
    await world.run("confidence-2");
    expect(world.saves()).toHaveLength(1);
    await world.pass(900);
    expect(world.saves().at(-1)?.answers).toEqual({ call: "benign", confidence: 2 });
  });
  it("another call clears the confidence and says so", async () => {
    const world = await answered(await new DeskWorld().open());
    await world.run("call-benign");
    expect(world.desk.state.answers).toEqual({ call: "benign", confidence: null });
    expect(world.desk.state.announcement).toBe("The call changed, so the confidence was cleared.");
  });
  it("tells the clock which question, never the answer", async () => {
    const world = await answered(await new DeskWorld().open());
    const told = (await world.events()).filter(({ kind }) => kind === "answer").map(({ detail }) => detail);
    expect(told).toEqual([{ question: "call" }, { question: "confidence" }]);
  });
  it("a key for a question that the case does not ask does nothing", async () => {
    const world = await new DeskWorld((document) => {
      document.case.questionnaire.questions = [];
    }).open();
    await world.run("call-benign", "confidence-1");
    expect(world.desk.state.answers).toEqual({});
  });
  it.each(["submitted", "locked", "missing"] as const)(
    "a case that is %s takes no answer and saves nothing",
    async (state) => {
      const world = await new DeskWorld((document) => {
        document.case.state = state;
      }).open();
      await world.run("call-benign", "layout-next");
      await world.pass(9000);
      expect([world.desk.state.answers, world.saves()]).toEqual([{}, []]);
    },
  );
});

describe("what the draft holds", () => {
  it("is the look of every pane with its image by name, and the focus in mm; nothing is computed", async () => {
    const world = await answered(await new DeskWorld().open());
    const draft = world.saves().at(-1);
    expect(Object.keys(draft ?? {}).sort()).toEqual(["answers", "focus", "looks", "outlines"]);
    expect(draft?.focus).toEqual([18, 70, 30]);
    expect(draft?.looks).toMatchObject({ ct: { slice: "2.25.1030|1" }, spect: { slice: "2.25.7|42" } });
    expect(draft?.looks["fused-axial"]).toMatchObject({ slice: null, opacity: 0.5 });
  });
  it("carries version, key and token of the request", async () => {
    const world = await answered(await new DeskWorld(withDraft(6, empty)).open());
    const put = world.requests.find(({ method }) => method === "PUT");
    expect(put?.headers.get("If-Match")).toBe('"6"');
    expect(put?.headers.get("Idempotency-Key")).toMatch(/^[0-9a-f-]{36}$/);
    expect(put?.headers.get("X-CSRFToken")).toBe("token");
  });
  it.each(["layout-next", "layout-single"])("is saved at once by %s", async (command) => {
    const world = await new DeskWorld().open();
    await world.run(command);
    expect(world.saves()).toHaveLength(1);
  });
  it("goes on when the reader scrolls", async () => {
    const world = await new DeskWorld().open();
    await world.run("pane-ct", "slice-next");
    await world.pass(900);
    expect(world.saves().at(-1)?.focus).toEqual([18, 70, 32.5]);
  });
});

describe("a read that is submitted", () => {
  const readyToSubmit = async (change?: (document: CaseDocument) => void): Promise<DeskWorld> => {
    const world = await answered(await new DeskWorld(change).open());
    await world.run("submit");
    return world;
  };
  it("is saved first, then summed up", async () => {
    const world = await readyToSubmit();
    expect(world.desk.state.dialog).toBe("summary");
    expect(world.requests.some(({ url }) => url.endsWith("submit"))).toBe(false);
  });
  it("names the saved version, and opens the next case only after the answer", async () => {
    const world = await readyToSubmit();
    world.replies.set("submit", [{ status: 200, body: { next: "/reading/cases/P4/", home: "/reading/" } }]);
    await world.desk.submit();
    const sent = world.requests.find(({ url }) => url.endsWith("submit"));
    expect(sent?.body).toEqual({ version: world.desk.autosave.version });
    expect([world.opened, world.left]).toEqual([["/reading/cases/P4/"], []]);
  });
  it("waits for what changed while the summary stood, and names that version", async () => {
    const world = await readyToSubmit();
    const before = world.desk.autosave.version;
    world.desk.changed("soon");
    await world.desk.submit();
    const sent = world.requests.map(({ url }) => url.split("/").at(-1));
    expect(sent.lastIndexOf("draft")).toBeLessThan(sent.indexOf("submit"));
    expect(world.requests.find(({ url }) => url.endsWith("submit"))?.body).toEqual({ version: before + 1 });
  });
  it("is not sent while the draft cannot be saved", async () => {
    const world = await readyToSubmit();
    world.replies.set("draft", ["broken"]);
    world.desk.changed("soon");
    await world.desk.submit();
    expect(world.requests.some(({ url }) => url.endsWith("submit"))).toBe(false);
    expect(world.desk.state.alert).toBe("Not submitted: the draft is not saved yet.");
  });
  it("is sent once, however often the button is pressed", async () => {
    const world = await readyToSubmit();
    world.replies.set("submit", [{ status: 200, body: { next: "/reading/cases/P4/", home: "/reading/" } }]);
    await Promise.all([world.desk.submit(), world.desk.submit()]);
    await world.desk.submit();
    expect(world.requests.filter(({ url }) => url.endsWith("submit"))).toHaveLength(1);
    expect(world.opened).toEqual(["/reading/cases/P4/"]);
  });
  it("leads home after the last case, with nothing left in the browser", async () => {
    const world = await readyToSubmit();
    await world.drafts.put(KEY, copyOf(1, {}), Date.now());
    world.replies.set("submit", [{ status: 200, body: { next: null, home: "/reading/" } }]);
    await world.desk.submit();
    await world.pass(5000);
    expect(world.left).toEqual(["/reading/"]);
    expect(await world.drafts.count()).toBe(0);
  });
  it("sends its timing events before", async () => {
    const world = await readyToSubmit();
    world.replies.set("submit", [{ status: 409, body: { detail: "Saved elsewhere." } }]);
    await world.desk.submit();
    const order = world.requests.map(({ url }) => url.split("/").at(-1));
    expect(order.lastIndexOf("events")).toBeLessThan(order.indexOf("submit"));
    expect((await world.events()).map(({ kind }) => kind)).toContain("submit_pressed");
  });
  it.each([
    ["broken", "The server did not answer; the read is not submitted yet."],
    [
      { status: 409, body: { detail: "This is not the saved version." } },
      "Not submitted: This is not the saved version.",
    ],
    [{ status: 500, body: {} }, "Not submitted: status 500"],
  ] as const)("stays open after %j, and says why", async (reply, sentence) => {
    const world = await readyToSubmit();
    world.replies.set("submit", [reply]);
    await world.desk.submit();
    expect(world.desk.state.alert).toBe(sentence);
    expect([world.opened, world.left]).toEqual([[], []]);
  });
  it("is not left for an answer that cannot be read", async () => {
    const world = await readyToSubmit();
    world.replies.set("submit", [{ status: 200, body: {} }]);
    await world.desk.submit();
    expect([world.opened, world.left]).toEqual([[], []]);
    expect(world.desk.state.alert).toMatch(/^Not submitted/);
  });
  it("shows the problems that the server found", async () => {
    const world = await readyToSubmit();
    const problems = { answers: { call: "required" } };
    world.replies.set("submit", [{ status: 422, body: { detail: "Something is missing.", problems } }]);
    await world.desk.submit();
    expect(world.desk.state.problems.answers).toEqual({ call: "required" });
    expect(world.desk.submitRefusal).toBe("Something is missing or invalid; see the list.");
  });
  it("waits for saving while the server is away", async () => {
    const world = await answered(await new DeskWorld().open());
    world.replies.set("draft", ["broken"]);
    await world.run("submit");
    expect(world.desk.state.dialog).toBeNull();
    expect(world.desk.state.announcement).toBe("Not saved yet: the summary opens after saving.");
    await world.pass(2000);
    expect(world.desk.state.dialog).toBe("summary");
  });
  it("is not summed up over the head of a reader who went on working while the server was away", async () => {
    const world = await answered(await new DeskWorld().open());
    world.replies.set("draft", ["broken", "broken"]);
    world.desk.changed("now");
    await world.pass(1);
    await world.run("submit", "confidence-2");
    expect(world.desk.state.announcement).toBe("Not saved yet: the summary opens after saving.");
    await world.pass(10_000);
    expect(world.desk.state.dialog).toBeNull();
    expect(world.desk.state.announcement).toBe("Saved. The summary can be opened now.");
    await world.run("submit");
    expect(world.desk.state.dialog).toBe("summary");
  });
  it("needs the lesion's slice on the screen, unless it cannot be judged", async () => {
    played.failures.set("wadors:/reading/cases/K7Q2/dicomweb/CT/31", [503, 503, 503]);
    const world = await new DeskWorld().open();
    await world.pass(4000);
    expect(world.desk.submitRefusal).toMatch(/^The lesion's slice could not be shown/);
    world.desk.answer("cannot_judge", "yes");
    expect(world.desk.submitRefusal).toBeNull();
    world.desk.answer("cannot_judge", "no");
    await world.pane("ct").retry();
    expect(world.desk.submitRefusal).toBeNull();
  });
});

describe("what the server may answer to a save", () => {
  const saving = async (status: number, body: object = {}): Promise<DeskWorld> => {
    const world = await new DeskWorld().open();
    world.replies.set("draft", [{ status, body }]);
    await world.run("call-benign");
    return world;
  };
  it("409: both versions are shown, and the decision is saved on the server's", async () => {
    const world = await saving(409, { version: 9, document: { ...empty, answers: { call: "metastasis" } } });
    expect(world.desk.state.dialog).toBe("conflict");
    world.desk.resolveConflict({ ...empty, answers: { call: "metastasis", confidence: 5 } }, 9);
    await world.pass(10);
    const put = world.requests.filter(({ method }) => method === "PUT").at(-1);
    expect(put?.headers.get("If-Match")).toBe('"9"');
    expect(world.saves().at(-1)?.answers).toEqual({ call: "metastasis", confidence: 5 });
    expect(world.desk.state.dialog).toBeNull();
  });
  it("409: nothing is answered over an open conflict", async () => {
    const world = await saving(409, { version: 9, document: empty });
    await world.run("confidence-5");
    expect(world.desk.state.answers).toEqual({ call: "benign" });
  });
  it("422: the field is named, and leaving the page would be asked about", async () => {
    const world = await saving(422, { field: "answers.call", detail: "is not known." });
    expect(world.desk.state.alert).toBe("The server refused the draft: answers.call is not known.");
    expect(world.desk.autosave.isUnsaved).toBe(true);
  });
  it("V14: 423: the case becomes read-only and says so", async () => {
    const world = await saving(423, { state: "locked" });
    expect(world.desk.state.readOnly).toBe("This read cannot change any more (locked).");
    await world.run("confidence-1");
    expect(world.desk.state.answers.confidence).toBeUndefined();
  });
  it("401: everything is kept, and goes out with its old key after signing in", async () => {
    const world = await saving(401);
    expect(world.desk.state.save.kind).toBe("signed-out");
    expect(await world.drafts.count()).toBe(1);
    world.desk.autosave.retryNow();
    await world.pass(10);
    const keys = world.requests
      .filter(({ method }) => method === "PUT")
      .map(({ headers }) => headers.get("Idempotency-Key"));
    expect(keys[0]).toBe(keys[1]);
    expect(await world.drafts.count()).toBe(0);
  });
  it("404: the panes are taken down and nothing more is sent", async () => {
    const world = await saving(404);
    await world.pass(5000);
    expect(world.desk.viewer).toBeNull();
    expect(world.desk.state.readOnly).toBe("This case is not, or no longer, on your list.");
    expect(world.saves()).toHaveLength(1);
  });
  it("V9: nothing for thirty seconds while drawing: every step arrives afterwards", async () => {
    const world = await new DeskWorld(asOutlineCase).open();
    world.replies.set("draft", ["broken", "broken", "broken", "broken"]);
    await world.run("pane-ct", "outline-mode");
    world.stroke("ct", circleAt(200, 200, 40));
    await world.pass(5000);
    world.stroke("ct", circleAt(200, 200, 60));
    await world.pass(25_000);
    world.desk.autosave.retryNow();
    await world.pass(2000);
    expect(world.desk.state.save.kind).toBe("saved");
    const drawn = world.desk.state.outlines.present.CT;
    expect(world.saves().at(-1)?.outlines.CT?.vertices).toHaveLength(drawn?.vertices.length ?? 0);
  });
});

describe("after a crash or a reload", () => {
  const recovering = async (
    kept: LocalCopy,
    change: (document: CaseDocument) => void,
  ): Promise<DeskWorld> => {
    const drafts = openLocalDrafts(new IDBFactory());
    const put = drafts.put(KEY, kept, Date.now());
    const world = new DeskWorld(change, drafts);
    await world.pass();
    await put;
    const recovered = world.desk.recover();
    await world.pass();
    await recovered;
    await world.pass();
    return world;
  };
  it("what changed after the copy that waits is shown, and sent after it", async () => {
    const kept = {
      ...copyOf(3, { call: "benign" }),
      later: { ...empty, answers: { call: "benign", confidence: 4 } },
    };
    const world = await recovering(kept, withDraft(3, empty));
    expect(world.desk.state.answers).toEqual({ call: "benign", confidence: 4 });
    await world.pass(1000);
    expect(world.saves().map(({ answers }) => answers)).toEqual([
      { call: "benign" },
      { call: "benign", confidence: 4 },
    ]);
  });
  it("what changed after a copy whose answer was never seen is no conflict", async () => {
    const kept = {
      ...copyOf(3, { call: "benign" }),
      later: { ...empty, answers: { call: "benign", confidence: 4 } },
    };
    const world = await recovering(kept, withDraft(4, kept.document));
    await world.pass(1000);
    expect(world.desk.state.dialog).toBeNull();
    expect(world.saves().map(({ answers }) => answers)).toEqual([{ call: "benign", confidence: 4 }]);
  });
  it("a conflict stops saving until it is decided, whatever is done meanwhile", async () => {
    const server: DraftDocument = { ...empty, answers: { call: "metastasis" } };
    const world = await recovering(copyOf(3, { call: "benign" }), withDraft(5, server));
    world.desk.store.set({ dialog: null });
    world.desk.changed("now");
    world.desk.answer("confidence", 1);
    await world.pass(10_000);
    expect([world.saves(), world.desk.isEditable]).toEqual([[], false]);
  });
  it("a copy on the server's version is shown and sent again under its old key", async () => {
    const world = await recovering(copyOf(3, { call: "benign" }), withDraft(3, empty));
    expect(world.desk.state.answers).toEqual({ call: "benign" });
    const put = world.requests.find(({ method }) => method === "PUT");
    expect(put?.headers.get("Idempotency-Key")).toBe("kept-key");
    expect(put?.headers.get("If-Match")).toBe('"3"');
  });
  it("a copy behind the server is a conflict, sent nowhere", async () => {
    const server = { ...empty, answers: { call: "metastasis" } };
    const world = await recovering(copyOf(3, { call: "benign" }), withDraft(5, server));
    expect(world.desk.state.dialog).toBe("conflict");
    expect(world.desk.state.save).toEqual({ kind: "conflict", version: 5, document: server });
    expect(world.saves()).toEqual([]);
  });
  it("a copy that says what the server says is forgotten", async () => {
    const kept = copyOf(3, { call: "benign" });
    const world = await recovering(kept, withDraft(4, kept.document));
    expect(world.desk.state.dialog).toBeNull();
    expect(await world.drafts.count()).toBe(0);
  });
  it("a copy ahead of a restored server is saved anew, on the server's version", async () => {
    const world = await recovering(copyOf(3, { call: "benign" }), withDraft(0, null));
    expect(world.saves().at(-1)?.answers).toEqual({ call: "benign" });
    expect(world.requests.find(({ method }) => method === "PUT")?.headers.get("If-Match")).toBe('"0"');
    expect(world.desk.state.save.kind).toBe("saved");
  });
  it("a copy of a read that was submitted meanwhile changes nothing", async () => {
    const world = await recovering(copyOf(3, { call: "benign" }), (document) => {
      withDraft(3, empty)(document);
      document.case.state = "submitted";
    });
    expect([world.desk.state.answers, world.saves()]).toEqual([{}, []]);
  });
  it("undo goes on through the versions that the server keeps", async () => {
    const drawn = { ...empty, outlines: { CT: triangle, SPECT: null } };
    const world = new DeskWorld((document) => {
      asOutlineCase(document);
      withDraft(2, drawn)(document);
    });
    world.replies.set("draft", [{ status: 200, body: { outlines: [empty.outlines, drawn.outlines] } }]);
    await world.open();
    await world.run("undo");
    expect(world.desk.state.outlines.present.CT).toBeNull();
    await world.run("redo");
    expect(world.desk.state.outlines.present.CT).toEqual(triangle);
  });
});

describe("an outline that cannot change any more", () => {
  it.each(["outline-delete", "copy", "shift-mode", "undo"])(
    "stays as it is under %s, which says so",
    async (command) => {
      const world = await new DeskWorld((document) => {
        asOutlineCase(document);
        withDraft(2, { ...empty, outlines: { CT: triangle, SPECT: null } })(document);
        document.case.state = "submitted";
      }).open();
      await world.run("pane-ct", command);
      expect(world.desk.state.outlines.present).toEqual({ CT: triangle, SPECT: null });
      expect(world.desk.state.mode.kind).toBe("view");
      if (command !== "undo") expect(world.desk.state.announcement).toBe("This read cannot change.");
    },
  );
});

describe("settings and reopening", () => {
  it("settings hold at once and are kept by the server", async () => {
    const world = await new DeskWorld().open();
    const preferences = { ...world.desk.case.preferences, text_size: "large" as const };
    await world.desk.keepPreferences(preferences);
    expect(world.desk.state.preferences).toEqual(preferences);
    expect(world.requests.at(-1)).toMatchObject({
      method: "PUT",
      url: "/reading/preferences",
      body: preferences,
    });
    expect(world.desk.state.announcement).toBe("Settings saved.");
  });
  it("settings that the server could not take hold for this case, which is said", async () => {
    const world = await new DeskWorld().open();
    world.replies.set("preferences", ["broken"]);
    await world.desk.keepPreferences(world.desk.case.preferences);
    expect(world.desk.state.announcement).toBe("The settings could not be saved; they hold for this case.");
  });
  it("a read is reopened with its reason and opens anew", async () => {
    const world = new DeskWorld();
    await world.desk.reopen("slip", "I pressed the wrong key.");
    expect(world.requests.at(-1)?.body).toEqual({ reason_code: "slip", reason: "I pressed the wrong key." });
    expect(world.opened).toEqual(["/reading/cases/K7Q2/"]);
  });
  it("a refused reopening is said", async () => {
    const world = new DeskWorld();
    world.replies.set("reopen", [{ status: 409 }]);
    await world.desk.reopen("slip", "I pressed the wrong key.");
    expect([world.desk.state.alert, world.opened]).toEqual(["The read cannot be reopened.", []]);
  });
});

describe("the desk asks for nothing", () => {
  it("but the open case's own addresses", async () => {
    const world = await answered(await new DeskWorld().open());
    await world.events();
    const root = "/reading/cases/K7Q2/";
    for (const { url } of world.requests) expect(url.startsWith(root)).toBe(true);
    for (const id of played.requests) expect(id.startsWith(`wadors:${root}dicomweb/`)).toBe(true);
  });
});
