import type { Vec3 } from "../api/types.ts";
import { add, cross, dot, scale, subtract } from "../roi/vec.ts";

/**
 * The imaging toolkit, played for tests: images arrive or fail as told, and its measured bad manners are kept.
 * A moved stack shows its slice later than it says, coordinates come in single precision, an empty stack rejects.
 */
export const played = {
  requests: [] as string[],
  /** Statuses with which the coming requests of an image fail, in turn. */
  failures: new Map<string, number[]>(),
  /** Pixels that arrive in place of those expected. */
  lengths: new Map<string, number>(),
  showDelayMs: 0,
  softwareOnly: true,
  volumeFault: false,
  backends: [] as string[],
  presentations: [] as { pane: string; id: string; look: Presentation }[],
  mounts: [] as string[],
  inFlight: 0,
  mostInFlight: 0,
};
interface Presentation {
  visible?: boolean;
  voiRange?: { lower: number; upper: number };
  colormap?: { name: string; opacity?: number; threshold?: number };
  interpolationType?: number;
}

type Provider = (type: string, imageId: unknown) => object | undefined;
interface Plane {
  rows: number;
  columns: number;
  rowCosines: Vec3;
  columnCosines: Vec3;
  imagePositionPatient: Vec3;
  rowPixelSpacing: number;
  columnPixelSpacing: number;
}
const providers = new Set<Provider>();
const images = new Map<string, object>();
const volumes = new Map<string, string[]>();
const displaySets = new Map<string, { imageIds: string[]; initialImageIdIndex?: number }>();

export const metaData = {
  addProvider: (provider: Provider): unknown => providers.add(provider),
  removeProvider: (provider: Provider): unknown => providers.delete(provider),
  get: (type: string, imageId: string): object | undefined =>
    [...providers].map((provider) => provider(type, imageId)).find((answer) => answer !== undefined),
};
const planeOf = (imageId: string): Plane => metaData.get("imagePlaneModule", imageId) as Plane;

export const cache = {
  getImage: (imageId: string): object | undefined => images.get(imageId),
  getImageLoadObject: (imageId: string): object | undefined => images.get(imageId),
  removeImageLoadObject: (imageId: string): unknown => images.delete(imageId),
  getVolume: (volumeId: string): string[] | undefined => volumes.get(volumeId),
  purgeCache: (): void => {
    images.clear();
    volumes.clear();
  },
  size: (): number => images.size + volumes.size,
};

async function loadAndCacheImage(imageId: string): Promise<{ getPixelData: () => { length: number } }> {
  played.requests.push(imageId);
  played.inFlight += 1;
  played.mostInFlight = Math.max(played.mostInFlight, played.inFlight);
  await Promise.resolve();
  played.inFlight -= 1;
  const status = played.failures.get(imageId)?.shift();
  if (status !== undefined) throw { error: { status } };
  const { rows, columns } = planeOf(imageId);
  const image = { getPixelData: () => ({ length: played.lengths.get(imageId) ?? rows * columns }) };
  images.set(imageId, image);
  return image;
}
export const imageLoader = { loadAndCacheImage };
export const volumeLoader = {
  createAndCacheVolume: async (id: string, { imageIds }: { imageIds: string[] }) => {
    if (played.volumeFault) throw new Error("CACHE_SIZE_EXCEEDED");
    volumes.set(id, imageIds);
    return { load: () => undefined };
  },
};

export const EVENTS = {
  STACK_NEW_IMAGE: "stack-new-image",
  IMAGE_RENDERED: "image-rendered",
  WEBGL_CONTEXT_LOST: "context-lost",
  RENDER_PATH_ERROR: "render-path-error",
};
export const Enums = {
  RequestType: { Interaction: "interaction" },
  InterpolationType: { NEAREST: 0, LINEAR: 1 },
  ViewportType: { PLANAR_NEXT: "planarNext" },
};
export let eventTarget = new EventTarget();
export const init = (): void => undefined;
export const getRenderingCapabilities = () => ({ softwareRasterizer: played.softwareOnly });
export const setRenderBackend = (name: string): unknown => played.backends.push(name);
export const imageRetrievalPoolManager = { setMaxSimultaneousRequests: (): void => undefined };
export const utilities = {
  genericViewportDisplaySetMetadataProvider: {
    add: (id: string, set: { imageIds: string[] }): unknown => displaySets.set(id, set),
    clear: (): void => displaySets.clear(),
  },
  colormap: { registerColormap: (): void => undefined },
  clearCacheData: (): void => undefined,
};

interface Frame {
  middle: Vec3;
  right: Vec3;
  down: Vec3;
  normal: Vec3;
  extent: number;
}
const half = (count: number, step: number): number => ((count - 1) * step) / 2;

function frameOfImage(imageId: string): Frame {
  const p = planeOf(imageId);
  const across = scale(p.rowCosines, half(p.columns, p.columnPixelSpacing));
  const along = scale(p.columnCosines, half(p.rows, p.rowPixelSpacing));
  return {
    middle: add(add(p.imagePositionPatient, across), along),
    right: p.rowCosines,
    down: p.columnCosines,
    normal: cross(p.rowCosines, p.columnCosines),
    extent: Math.max(p.rows * p.rowPixelSpacing, p.columns * p.columnPixelSpacing),
  };
}

interface Orientation {
  viewPlaneNormal: Vec3;
  viewUp: Vec3;
}
interface ViewState {
  scale?: [number, number];
  anchorWorld?: Vec3;
  slice?: { sliceWorldPoint: Vec3 };
}

/** One viewport of 400 x 400 CSS pixels. */
class Viewport {
  readonly id: string;
  readonly element: EventTarget;
  #imageIds: string[] = [];
  #current: string | undefined;
  #zoom = 1;
  #anchor: Vec3 | undefined;
  #orientation: Orientation | null = null;
  #slice: Vec3 = [0, 0, 0];

  constructor(id: string, element: EventTarget) {
    this.id = id;
    this.element = element;
  }

  async setDisplaySets(
    ...sets: { displaySetId: string; options?: { orientation: Orientation } }[]
  ): Promise<void> {
    const [first] = sets;
    const set = displaySets.get(first?.displaySetId ?? "");
    this.#imageIds = set?.imageIds ?? [];
    this.#orientation = first?.options?.orientation ?? null;
    this.#current = this.#imageIds[set?.initialImageIdIndex ?? 0];
    played.mounts.push(`${this.id}: ${sets.map(({ displaySetId }) => displaySetId).join(" + ")}`);
    if (this.#current === undefined || !images.has(this.#current)) throw { error: { status: 404 } };
  }

  /** Resolves before the slice is shown. */
  async setImageIdIndex(index: number): Promise<void> {
    setTimeout(() => {
      this.#current = this.#imageIds[index];
      this.element.dispatchEvent(new Event(EVENTS.STACK_NEW_IMAGE));
      this.element.dispatchEvent(new Event(EVENTS.IMAGE_RENDERED));
    }, played.showDelayMs);
  }

  getCurrentImageId = (): string | undefined => this.#current;

  setViewState({ scale: zoom, anchorWorld, slice }: ViewState): void {
    if (slice !== undefined) this.#slice = slice.sliceWorldPoint;
    if (zoom === undefined) return;
    this.#zoom = zoom[0];
    this.#anchor = anchorWorld;
  }

  setDisplaySetPresentation(id: string, look: Presentation): void {
    played.presentations.push({ pane: this.id, id, look });
  }

  worldToCanvas(point: Vec3): [number, number] {
    const { right, down, k, centre } = this.#camera();
    const away = subtract(point, centre);
    return [200 + k * dot(away, right), 200 + k * dot(away, down)];
  }

  canvasToWorld([x, y]: [number, number]): Vec3 {
    const { right, down, normal, k, centre, plane } = this.#camera();
    const inPlane = add(add(centre, scale(right, (x - 200) / k)), scale(down, (y - 200) / k));
    const onPlane = add(inPlane, scale(normal, dot(subtract(plane, inPlane), normal)));
    return onPlane.map(Math.fround) as Vec3;
  }

  #camera(): Frame & { k: number; centre: Vec3; plane: Vec3 } {
    const own = frameOfImage(this.#current ?? "");
    const frame = this.#orientation === null ? own : { ...own, ...turned(this.#orientation) };
    const plane = this.#orientation === null ? own.middle : this.#slice;
    return { ...frame, k: (400 / frame.extent) * this.#zoom, centre: this.#anchor ?? plane, plane };
  }
}

const turned = ({ viewPlaneNormal, viewUp }: Orientation): Pick<Frame, "right" | "down" | "normal"> => ({
  right: cross(viewUp, viewPlaneNormal),
  down: scale(viewUp, -1),
  normal: viewPlaneNormal,
});

export class RenderingEngine {
  readonly #viewports = new Map<string, Viewport>();
  enableElement({ viewportId, element }: { viewportId: string; element: EventTarget }): void {
    this.#viewports.set(viewportId, new Viewport(viewportId, element));
  }
  getViewport(id: string): Viewport | undefined {
    return this.#viewports.get(id);
  }
  resize(): void {}
  destroy(): void {
    this.#viewports.clear();
  }
}

/** Everything as after the page was loaded. */
export function resetToolkit(): void {
  eventTarget = new EventTarget();
  cache.purgeCache();
  providers.clear();
  displaySets.clear();
  Object.assign(played, {
    requests: [],
    failures: new Map(),
    lengths: new Map(),
    showDelayMs: 0,
    softwareOnly: true,
    volumeFault: false,
    backends: [],
    presentations: [],
    mounts: [],
    inFlight: 0,
    mostInFlight: 0,
  });
}
