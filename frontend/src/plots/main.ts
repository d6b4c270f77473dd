import "./plots.css";
import { drawFigure, drawLegend } from "./draw.ts";
import { readFigure } from "./figure.ts";

/** Fetches a figure's numbers and draws them; on any failure the server's own picture stays. */
async function show(holder: HTMLElement): Promise<void> {
  const canvas = holder.querySelector(".plot-canvas");
  const source = holder.dataset.source;
  if (canvas === null || source === undefined) return;
  const response = await fetch(source, { credentials: "same-origin" }).catch(() => null);
  if (response?.ok !== true) return;
  const figure = readFigure(await response.json().catch(() => null));
  if (figure === null) return;
  const legend = drawLegend(figure);
  canvas.replaceChildren(drawFigure(figure), ...(legend === null ? [] : [legend]));
  holder.dataset.drawn = "true";
}

for (const holder of document.querySelectorAll<HTMLElement>("figure.plot[data-source]")) void show(holder);
