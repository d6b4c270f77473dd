import {
  cache,
  EVENTS,
  eventTarget,
  getRenderingCapabilities,
  imageRetrievalPoolManager,
  init as initCore,
  RenderingEngine,
  setRenderBackend,
  utilities,
} from "@cornerstonejs/core";
import { init as initLoader } from "@cornerstonejs/dicom-image-loader";
import type { Backend } from "../api/types.ts";
import { COLOUR_MAP_NAMES } from "./look.ts";

const REQUESTS_IN_FLIGHT = 6;
const ENGINE_ID = "osteon";

/** Black through red and yellow to white, the classic nuclear-medicine table. */
const HOT_IRON = [0, 0, 0, 0, 0.5, 0.85, 0.1, 0, 0.8, 1, 0.75, 0.1, 1, 1, 1, 1];

/** WebGL2 is needed even to draw on the CPU, so it is asked for before anything is built. */
export function hasWebGl2(): boolean {
  const probe = document.createElement("canvas").getContext("webgl2");
  probe?.getExtension("WEBGL_lose_context")?.loseContext();
  return probe !== null;
}

/** The toolkit leaves a second, unhandled rejection behind each failed request; the pane has shown the first. */
const hushFailedRequests = (event: PromiseRejectionEvent): void => {
  if (event.reason instanceof XMLHttpRequest) event.preventDefault();
};

let started = false;

function startOnce(decodeWorkers: number): void {
  if (started) return;
  started = true;
  window.addEventListener("unhandledrejection", hushFailedRequests, true);
  initCore();
  initLoader({ maxWebWorkers: decodeWorkers });
  imageRetrievalPoolManager.setMaxSimultaneousRequests("interaction" as never, REQUESTS_IN_FLIGHT);
  imageRetrievalPoolManager.setMaxSimultaneousRequests("prefetch" as never, REQUESTS_IN_FLIGHT);
  utilities.colormap.registerColormap({
    ColorSpace: "RGB",
    Name: COLOUR_MAP_NAMES.hot,
    RGBPoints: HOT_IRON,
  });
}

/** `auto` draws on the CPU where the only GPU is a program: measured 2-4 times faster there. */
export const chooseBackend = (wish: Backend, softwareOnly: boolean): "cpu" | "gpu" =>
  wish === "auto" ? (softwareOnly ? "cpu" : "gpu") : wish;

export interface Engine {
  backend: () => "cpu" | "gpu";
  rendering: RenderingEngine;
  dispose: () => void;
}

/** One rendering engine per open case; a lost GPU moves all panes to the CPU and says so. */
export function startEngine(wish: Backend, onBackendChanged: (reason: string) => void): Engine {
  startOnce(Math.max(1, Math.floor(navigator.hardwareConcurrency / 2)));
  let backend = chooseBackend(wish, getRenderingCapabilities().softwareRasterizer);
  setRenderBackend(backend);
  const rendering = new RenderingEngine(ENGINE_ID);
  const fallBack = (event: Event): void => {
    if (backend === "cpu") return;
    backend = "cpu";
    setRenderBackend("cpu", event.type);
    onBackendChanged(event.type);
  };
  const events = [EVENTS.WEBGL_CONTEXT_LOST, EVENTS.RENDER_PATH_ERROR];
  for (const name of events) eventTarget.addEventListener(name, fallBack);
  return {
    backend: () => backend,
    rendering,
    dispose: () => {
      for (const name of events) eventTarget.removeEventListener(name, fallBack);
      rendering.destroy();
      utilities.genericViewportDisplaySetMetadataProvider.clear();
      cache.purgeCache();
    },
  };
}
