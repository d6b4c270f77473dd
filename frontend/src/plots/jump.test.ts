import { expect, test } from "vitest";
import { Jump, type Page } from "./jump.ts";

/** A page with one heading, `there`, that counts how often it is brought into view. */
class Sheet extends EventTarget implements Page {
  moved = 0;
  readonly location = { hash: "" };
  getElementById(id: string): { scrollIntoView(): void } | null {
    const heading = {
      scrollIntoView: (): void => {
        this.moved += 1;
      },
    };
    return id === "there" ? heading : null;
  }
  does(kind: string): void {
    this.dispatchEvent(new Event(kind));
  }
  clicks(closest: object | null): void {
    const event = new Event("click");
    Object.defineProperty(event, "target", { value: { closest: () => closest } });
    this.dispatchEvent(event);
  }
}

function sheetAt(hash: string): [Sheet, Jump] {
  const sheet = new Sheet();
  sheet.location.hash = hash;
  return [sheet, new Jump(sheet)];
}

test("a page opened without a section is left alone when a figure is drawn", () => {
  const [sheet, jump] = sheetAt("");
  jump.restore();
  expect(sheet.moved).toBe(0);
});

test("a page opened at a section stays there", () => {
  const [sheet, jump] = sheetAt("#there");
  jump.restore();
  expect(sheet.moved).toBe(1);
});

test("a jump on the page holds for every figure drawn after it", () => {
  const [sheet, jump] = sheetAt("");
  sheet.clicks({});
  sheet.location.hash = "#there";
  jump.restore();
  jump.restore();
  expect(sheet.moved).toBe(2);
});

test.each(["wheel", "touchmove", "keydown", "pointerdown"])(
  "after a %s the page goes nowhere by itself",
  (kind) => {
    const [sheet, jump] = sheetAt("#there");
    sheet.does(kind);
    jump.restore();
    expect(sheet.moved).toBe(0);
  },
);

test("the press of a link does not undo the jump it makes", () => {
  const [sheet, jump] = sheetAt("#there");
  sheet.does("pointerdown");
  sheet.clicks({});
  jump.restore();
  expect(sheet.moved).toBe(1);
});

test("a click beside every link is no jump", () => {
  const [sheet, jump] = sheetAt("#there");
  sheet.does("wheel");
  sheet.clicks(null);
  sheet.does("click");
  jump.restore();
  expect(sheet.moved).toBe(0);
});

test("a section that is not on the page is no fault", () => {
  const [sheet, jump] = sheetAt("#nowhere");
  jump.restore();
  expect(sheet.moved).toBe(0);
});
