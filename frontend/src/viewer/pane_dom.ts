import type { Look } from "./look.ts";
import { centreOf, widthOf } from "./look.ts";
import type { PaneFacts, PaneState } from "./pane.ts";
import type { SlicePlane } from "./source.ts";

export interface PaneDom {
  root: HTMLElement;
  stage: HTMLDivElement;
  overlay: SVGSVGElement;
  setState: (state: PaneState, reason: string) => void;
  label: (index: number, count: number, plane: SlicePlane, look: Look, fused: boolean) => void;
  letter: (letters: NonNullable<PaneFacts["letters"]>) => void;
}

function make<K extends keyof HTMLElementTagNameMap>(tag: K, className: string): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.className = className;
  return element;
}

const whole = (value: number): string => value.toFixed(0).replace("-", "−");

export function windowText(look: Look, role: string): string {
  const text = role.startsWith("SPECT") || role.startsWith("WB") ? `0–${whole(look.upper)}` : "";
  return text !== "" ? text : `C ${whole(centreOf(look))}  W ${whole(widthOf(look))}`;
}

const fusedText = (look: Look): string =>
  look.overlay ? `${Math.round(look.opacity * 100)} % of 0–${whole(look.overlay_upper)}` : "overlay off";

function cover(retry: () => void): {
  element: HTMLDivElement;
  text: HTMLParagraphElement;
  button: HTMLButtonElement;
} {
  const element = make("div", "pane-cover");
  const text = make("p", "pane-reason");
  const button = make("button", "button");
  button.type = "button";
  button.textContent = "Try again";
  button.addEventListener("click", retry);
  element.append(text, button);
  return { element, text, button };
}

function publishSlice(
  root: HTMLElement,
  facts: PaneFacts,
  index: number,
  count: number,
  plane: SlicePlane,
): void {
  root.dataset.slice = String(index + 1);
  root.dataset.plane = JSON.stringify(plane.position);
  if (plane.image !== null) root.dataset.image = `${plane.image.sop_instance_uid}|${plane.image.frame}`;
  root.setAttribute("aria-label", count > 1 ? `${facts.title}, slice ${index + 1} of ${count}` : facts.title);
}

/** The elements of one pane; text is only ever built from role, slice and window. */
export function buildPaneDom(facts: PaneFacts, retry: () => void): PaneDom {
  const root = make("section", "pane");
  root.tabIndex = 0;
  root.dataset.pane = facts.id;
  root.dataset.role = facts.role;
  root.dataset.state = "empty";
  root.setAttribute("role", "group");
  root.setAttribute("aria-roledescription", "image pane");
  root.setAttribute("aria-label", facts.title);
  const stage = make("div", "pane-stage");
  const overlay = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  overlay.setAttribute("class", "pane-overlay");
  overlay.setAttribute("aria-hidden", "true");
  const title = make("h2", "pane-title");
  title.textContent = facts.title;
  const slice = make("span", "pane-slice");
  const look = make("span", "pane-window");
  const edges = (["left", "right", "top", "bottom"] as const).map(
    (edge) => [edge, make("span", `letter ${edge}`)] as const,
  );
  const { element, text, button } = cover(retry);
  root.append(stage, overlay, title, slice, look, ...edges.map(([, span]) => span), element);
  return {
    root,
    stage,
    overlay,
    setState: (state, reason) => {
      root.dataset.state = state;
      text.textContent = reason;
      element.hidden = state === "ready";
      element.setAttribute("role", state === "error" ? "alert" : "note");
      button.hidden = state !== "error";
    },
    label: (index, count, plane, current, fused) => {
      publishSlice(root, facts, index, count, plane);
      slice.textContent = count > 1 ? `${index + 1} / ${count}` : "";
      look.textContent = `${fused ? fusedText(current) : windowText(current, facts.role)}  ${current.zoom.toFixed(1)}×`;
    },
    letter: (letters) => {
      for (const [edge, span] of edges) span.textContent = letters[edge];
    },
  };
}
