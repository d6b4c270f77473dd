import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { browserPorts } from "./ports.ts";

/** A browser's request, answered by the test. */
class Played {
  static last: Played;
  upload: { onprogress?: (event: { loaded: number }) => void } = {};
  onloadend: () => void = () => undefined;
  status = 0;
  responseText = "";
  headers: Record<string, string> = {};
  answered: Record<string, string> = {};
  opened: string[] = [];
  sent: unknown = null;
  constructor() {
    Played.last = this;
  }
  open(method: string, url: string): void {
    this.opened = [method, url];
  }
  setRequestHeader(name: string, value: string): void {
    this.headers[name] = value;
  }
  getResponseHeader(name: string): string | null {
    return this.answered[name] ?? null;
  }
  send(form: unknown): void {
    this.sent = form;
  }
  finish(status: number, text = "", answered: Record<string, string> = {}): void {
    Object.assign(this, { status, responseText: text, answered });
    this.onloadend();
  }
}
const ports = browserPorts("/studies/bone/import/", "token");
const answerWith = (status: number, body: string, headers: Record<string, string> = {}) => {
  const fetched = vi.fn(async (_url: string, _init: RequestInit) => new Response(body, { status, headers }));
  vi.stubGlobal("fetch", fetched);
  return fetched;
};
beforeEach(() => {
  vi.stubGlobal("XMLHttpRequest", Played);
  vi.stubGlobal("document", { cookie: "" });
});
afterEach(() => vi.unstubAllGlobals());

describe("asking the server", () => {
  it("goes below the study's own address, with its token, as JSON", async () => {
    const fetched = answerWith(200, '{"batch": 3}');
    expect(await ports.post("start", { n: 2 })).toEqual({
      status: 200,
      body: { batch: 3 },
      retryAfterS: null,
    });
    const [url, init] = fetched.mock.calls[0] ?? [];
    expect(url).toBe("/studies/bone/import/start");
    expect(init).toMatchObject({ method: "POST", credentials: "same-origin", body: '{"n":2}' });
    expect(new Headers(init?.headers).get("X-CSRFToken")).toBe("token");
    expect(new Headers(init?.headers).get("Content-Type")).toBe("application/json");
  });
  it("without a body sends an empty object, which is JSON", async () => {
    const fetched = answerWith(200, "{}");
    await ports.post("finish", undefined);
    expect(fetched.mock.calls[0]?.[1].body).toBe("{}");
  });
  it("over a broken line is status 0, not an exception", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("network")));
    expect(await ports.post("start", {})).toEqual({ status: 0, body: null, retryAfterS: null });
  });
  it.each([
    ["7", 7],
    ["0", 0],
    ["1.5", 1.5],
    ["Wed, 21 Oct 2026 07:28:00 GMT", null],
    ["soon", null],
  ])("a wait of %j is %j seconds", async (header, wanted) => {
    answerWith(503, "", { "Retry-After": header });
    expect((await ports.post("start", {})).retryAfterS).toBe(wanted);
  });
  it("a page in place of JSON is no body", async () => {
    answerWith(502, "<html>Bad gateway</html>");
    expect(await ports.post("start", {})).toEqual({ status: 502, body: null, retryAfterS: null });
  });
});

describe("sending a batch", () => {
  it("tells the bytes that have left, and answers what the server said", async () => {
    const seen: number[] = [];
    const form = new FormData();
    const answer = ports.put("batches/1", form, (bytes) => seen.push(bytes));
    for (const loaded of [10, 250]) Played.last.upload.onprogress?.({ loaded });
    Played.last.finish(200, '{"files": []}');
    expect(await answer).toEqual({ status: 200, body: { files: [] }, retryAfterS: null });
    expect(seen).toEqual([10, 250]);
    expect(Played.last.opened).toEqual(["PUT", "/studies/bone/import/batches/1"]);
    expect(Played.last.headers).toEqual({ Accept: "application/json", "X-CSRFToken": "token" });
    expect(Played.last.sent).toBe(form);
  });
  it("over a broken line is status 0 and asks for no wait", async () => {
    const answer = ports.put("batches/1", new FormData(), () => undefined);
    Played.last.finish(0, "", { "Retry-After": "9" });
    expect(await answer).toEqual({ status: 0, body: null, retryAfterS: null });
  });
  it.each([413, 429, 503])("status %i comes with its wait", async (status) => {
    const answer = ports.put("batches/1", new FormData(), () => undefined);
    Played.last.finish(status, "no JSON", { "Retry-After": "9" });
    expect(await answer).toEqual({ status, body: null, retryAfterS: 9 });
  });
});

describe("the digest of a file", () => {
  it("is SHA-256 in hexadecimal, leading zeros and all (FIPS 180-2, appendix B)", async () => {
    expect(await ports.sha256?.(new Blob(["abc"]))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    expect(await ports.sha256?.(new Blob([]))).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
  });
  it("is not to be had over plain HTTP, which is said beforehand", () => {
    vi.stubGlobal("crypto", {});
    expect(browserPorts("/", "").sha256).toBeNull();
  });
});

describe("the clock", () => {
  it("waits in seconds and never goes back", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    const waited = vi.fn();
    void ports.wait(2).then(waited);
    await vi.advanceTimersByTimeAsync(1999);
    expect(waited).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(waited).toHaveBeenCalledTimes(1);
    vi.useRealTimers();
    expect(ports.now()).toBeLessThanOrEqual(ports.now());
  });
});
