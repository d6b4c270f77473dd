/** What of a document a jump needs. */
export interface Page extends EventTarget {
  readonly location: { readonly hash: string };
  getElementById(id: string): { scrollIntoView(): void } | null;
}

function isLinkWithin(target: EventTarget | null): boolean {
  if (target === null || !("closest" in target) || typeof target.closest !== "function") return false;
  return target.closest('a[href^="#"]') !== null;
}

/** Keeps the heading that was jumped to in place while figures above it are still being drawn, until the person moves on. */
export class Jump {
  readonly #page: Page;
  #holds: boolean;

  constructor(page: Page) {
    this.#page = page;
    this.#holds = page.location.hash.length > 1;
    for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"])
      page.addEventListener(kind, () => this.#let(), { passive: true, capture: true });
    page.addEventListener("click", (event) => {
      if (isLinkWithin(event.target)) this.#holds = true;
    });
  }

  #let(): void {
    this.#holds = false;
  }

  /** To be called when the page has grown somewhere. */
  restore(): void {
    if (this.#holds) this.#page.getElementById(this.#page.location.hash.slice(1))?.scrollIntoView();
  }
}
