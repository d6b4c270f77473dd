import { afterEach, describe, expect, it, vi } from "vitest";
import { sendSigned, tokenNow } from "./csrf.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("the token of a request", () => {
  it.each([
    ["csrftoken=new", "new"],
    ["a=b; csrftoken=new; c=d", "new"],
    ["a=b;csrftoken=new", "new"],
    ["xcsrftoken=other", "old"],
    ["csrftoken=", "old"],
    ["", "old"],
  ])("of a browser with the cookies %j is %s", (cookies, expected) => {
    expect(tokenNow("old", cookies)).toBe(expected);
  });
  it("is the one that holds when the request is sent, not when the page came", async () => {
    const page = { cookie: "csrftoken=first" };
    const sent: (string | null)[] = [];
    vi.stubGlobal("document", page);
    vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
      sent.push(new Headers(init.headers).get("X-CSRFToken"));
      return new Response();
    });
    const init = { method: "PUT", headers: { "X-CSRFToken": "first" } };
    await sendSigned("/draft", init);
    page.cookie = "csrftoken=second";
    await sendSigned("/draft", init);
    await sendSigned("/draft", { method: "GET" });
    expect(sent).toEqual(["first", "second", null]);
  });
});
