/** As much of a browser's page as the panes need, for tests: elements that hear events and keep what they are told. */
export class PageElement extends EventTarget {
  readonly dataset: Record<string, string> = {};
  readonly attributes = new Map<string, string>();
  children: PageElement[] = [];
  className = "";
  textContent = "";
  type = "";
  hidden = false;
  tabIndex = -1;
  clientWidth = 400;
  clientHeight = 400;
  readonly tag: string;

  constructor(tag = "div") {
    super();
    this.tag = tag;
  }
  append(...inner: PageElement[]): void {
    this.children.push(...inner);
  }
  replaceChildren(...inner: PageElement[]): void {
    this.children = inner;
  }
  remove(): void {
    this.hidden = true;
  }
  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value);
  }
  focus(): void {
    this.dispatchEvent(new Event("focus"));
  }
  setPointerCapture(): void {}
  getBoundingClientRect(): { left: number; top: number } {
    return { left: 0, top: 0 };
  }
  closest(selector: string): PageElement | null {
    const isPane = this.dataset.pane !== undefined;
    const hit = selector === "[data-pane]" ? isPane : selector.split(", ").includes(this.tag);
    return hit ? this : null;
  }
}
class Button extends PageElement {}
class TextArea extends PageElement {}
class Select extends PageElement {}
class Input extends PageElement {}

const KINDS: Record<string, typeof PageElement> = {
  button: Button,
  textarea: TextArea,
  select: Select,
  input: Input,
};
export const pageElement = (tag: string): PageElement => new (KINDS[tag] ?? PageElement)(tag);

class Page extends EventTarget {
  readonly body = new PageElement("body");
  readonly createElement = pageElement;
  readonly createElementNS = (_: string, tag: string): PageElement => pageElement(tag);
  readonly getElementById = (): null => null;
  readonly querySelector = (): null => null;
}
class Observer {
  observe(): void {}
  disconnect(): void {}
}

/** Puts a page in the place of the browser's; timers are those of the moment, so that tests may turn the clock. */
export function installPage(): void {
  Object.assign(globalThis, {
    document: new Page(),
    window: {
      setTimeout: (run: () => void, ms: number) => setTimeout(run, ms),
      clearTimeout: (timer: number) => clearTimeout(timer),
      addEventListener: () => undefined,
    },
    ResizeObserver: Observer,
    XMLHttpRequest: class {},
    Element: PageElement,
    HTMLButtonElement: Button,
    HTMLTextAreaElement: TextArea,
    HTMLSelectElement: Select,
    HTMLInputElement: Input,
  });
  Object.defineProperty(globalThis, "navigator", { value: { hardwareConcurrency: 2 }, configurable: true });
}

export interface Pointer {
  button?: number;
  id?: number;
}

/** One pointer event at a place in CSS pixels, which a browser cuts to whole ones. */
export function pointerEvent(
  type: string,
  x: number,
  y: number,
  { button = 0, id = 1 }: Pointer = {},
): Event {
  const place = { clientX: Math.trunc(x), clientY: Math.trunc(y) };
  return Object.assign(new Event(type, { cancelable: true }), {
    ...place,
    pointerId: id,
    button,
    buttons: type === "pointerup" ? 0 : 1,
  });
}

export function keyEvent(key: string, target: PageElement, held: Partial<KeyboardEvent> = {}): Event {
  const plain = { key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false };
  const event = Object.assign(new Event("keydown", { cancelable: true }), plain, held);
  Object.defineProperty(event, "target", { value: target });
  return event;
}
