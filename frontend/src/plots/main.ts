import "./plots.css";
import { drawFigure, drawLegend } from "./draw.ts";
import { type Figure, readFigure } from "./figure.ts";
import { Jump } from "./jump.ts";

const jump = new Jump(document);

async function numbersFrom(source: string): Promise<Figure | null> {
  const response = await fetch(source, { credentials: "same-origin" }).catch(() => null);
  if (response?.ok !== true) return null;
  return readFigure(await response.json().catch(() => null));
}

/** The server's own picture, which costs it a second, only where the numbers cannot be drawn here. */
function picture(holder: HTMLElement, source: string): HTMLImageElement {
  const image = document.createElement("img");
  image.src = source.replace(/\.json$/, ".svg");
  image.alt = holder.dataset.description ?? "";
  return image;
}

/** Fetches a figure's numbers and draws them; on any failure the server's picture stands in. */
async function show(holder: HTMLElement): Promise<void> {
  const canvas = holder.querySelector(".plot-canvas");
  const source = holder.dataset.source;
  if (canvas === null || source === undefined) return;
  const figure = await numbersFrom(source);
  if (figure === null) {
    canvas.replaceChildren(picture(holder, source));
    return;
  }
  const legend = drawLegend(figure);
  canvas.replaceChildren(drawFigure(figure), ...(legend === null ? [] : [legend]));
  holder.dataset.drawn = "true";
  jump.restore();
}

// A page has some thirty figures; each is asked for when it comes near the window.
const NEAR = { rootMargin: "600px 0px" };
const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting || !(target instanceof HTMLElement)) continue;
    near.unobserve(target);
    void show(target);
  }
}, NEAR);

for (const holder of document.querySelectorAll<HTMLElement>("figure.plot[data-source]")) near.observe(holder);
