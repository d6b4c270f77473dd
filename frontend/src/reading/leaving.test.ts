import { describe, expect, it } from "vitest";
import { maySignOut, UNSENT } from "./leaving.ts";

const holding = (count: number) => ({ count: () => Promise.resolve(count) });
const never = (): boolean => {
  throw new Error("nobody was to be asked");
};

describe("signing out", () => {
  it("asks nothing when the server has everything", async () => {
    expect(await maySignOut(holding(0), never)).toBe(true);
  });
  it.each([true, false])("asks once while work waits, and the answer %s decides", async (answer) => {
    const asked: string[] = [];
    const ask = (question: string): boolean => {
      asked.push(question);
      return answer;
    };
    expect(await maySignOut(holding(2), ask)).toBe(answer);
    expect(asked).toEqual([UNSENT]);
  });
  it("goes on where the browser keeps nothing at all", async () => {
    expect(await maySignOut({ count: () => Promise.reject(new Error("blocked")) }, never)).toBe(true);
  });
});
