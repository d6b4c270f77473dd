import { cache, Enums, type PlanarViewport, utilities, volumeLoader } from "@cornerstonejs/core";
import type { SeriesDocument, Vec3 } from "../api/types.ts";
import { along, cross, dot, subtract } from "../roi/vec.ts";
import type { ImageLoader } from "./loader.ts";
import { COLOUR_MAP_NAMES, type Look } from "./look.ts";
import { imageIdOf } from "./metadata.ts";

/** One slice a pane can show. `image` is null where the slice is cut out of a volume. */
export interface SlicePlane {
  position: Vec3;
  image: { sop_instance_uid: string; frame: number } | null;
}

/** What a pane shows: how many slices, where they lie, how they are loaded, mounted, moved, dressed. */
export interface PaneSource {
  planes: SlicePlane[];
  normal: Vec3 | null;
  right: Vec3 | null;
  down: Vec3 | null;
  step_mm: number;
  load: (index: number) => Promise<void>;
  isLoaded: (index: number) => boolean;
  mount: (viewport: PlanarViewport, index: number, look: Look) => Promise<void>;
  show: (viewport: PlanarViewport, index: number) => Promise<void>;
  dress: (viewport: PlanarViewport, look: Look) => void;
  isShown: (viewport: PlanarViewport, index: number) => boolean;
}

const interpolationOf = (look: Look): number =>
  look.interpolation === "nearest" ? Enums.InterpolationType.NEAREST : Enums.InterpolationType.LINEAR;

const axes = (series: SeriesDocument): { right: Vec3; down: Vec3; normal: Vec3 } | null => {
  const c = series.orientation;
  if (c === null) return null;
  const right: Vec3 = [c[0], c[1], c[2]];
  const down: Vec3 = [c[3], c[4], c[5]];
  return { right, down, normal: cross(right, down) };
};

/** A series in its own slices: the only panes in which outlines are drawn. */
export function nativeSource(
  series: SeriesDocument,
  loader: ImageLoader,
  key: string = series.role,
): PaneSource {
  const imageIds = series.images.map(imageIdOf);
  const frame = axes(series);
  const idAt = (index: number): string => imageIds[index] as string;
  return {
    planes: series.images.map((image) => ({
      position: image.position ?? [0, 0, 0],
      image: { sop_instance_uid: image.sop_instance_uid, frame: image.frame },
    })),
    normal: frame?.normal ?? null,
    right: frame?.right ?? null,
    down: frame?.down ?? null,
    step_mm: series.slice_spacing_mm ?? series.slice_thickness_mm ?? 1,
    load: (index) => loader.load(idAt(index)),
    isLoaded: (index) => cache.getImage(idAt(index)) !== undefined,
    mount: async (viewport, index, look) => {
      utilities.genericViewportDisplaySetMetadataProvider.add(key, {
        imageIds,
        initialImageIdIndex: index,
        kind: "planar",
      });
      await viewport.setDisplaySets({ displaySetId: key });
      dressStack(viewport, key, look);
    },
    show: async (viewport, index) => {
      await viewport.setImageIdIndex(index);
    },
    dress: (viewport, look) => dressStack(viewport, key, look),
    isShown: (viewport, index) => viewport.getCurrentImageId() === idAt(index),
  };
}

const dressStack = (viewport: PlanarViewport, key: string, look: Look): void =>
  viewport.setDisplaySetPresentation(key, {
    voiRange: { lower: look.lower, upper: look.upper },
    invert: look.invert,
    colormap: { name: COLOUR_MAP_NAMES[look.map] },
    interpolationType: interpolationOf(look),
  });

export type FusedPlane = "axial" | "sagittal" | "coronal";
const CT_VOLUME = "cornerstoneStreamingImageVolume:ct";
const SPECT_VOLUME = "cornerstoneStreamingImageVolume:spect";

/** Both volumes are made of images already in the cache, and only when none is missing. */
export async function buildVolumes(ct: SeriesDocument, spect: SeriesDocument): Promise<void> {
  const wanted: [string, SeriesDocument][] = [
    [CT_VOLUME, ct],
    [SPECT_VOLUME, spect],
  ];
  for (const [volumeId, series] of wanted) {
    const imageIds = series.images.map(imageIdOf);
    const volume = await volumeLoader.createAndCacheVolume(volumeId, { imageIds });
    volume.load();
    utilities.genericViewportDisplaySetMetadataProvider.add(volumeId, { imageIds, volumeId, kind: "planar" });
  }
}

interface Cut {
  normal: Vec3;
  right: Vec3;
  down: Vec3;
  count: number;
  step_mm: number;
  direction: Vec3;
}

/** How a plane family cuts the CT grid; slices ascend along head, patient's left, back. */
function cutOf(ct: SeriesDocument, plane: FusedPlane): Cut | null {
  const frame = axes(ct);
  if (frame === null) return null;
  const { right, down, normal } = frame;
  const step = ct.slice_spacing_mm ?? 1;
  const up: Vec3 = [-normal[0], -normal[1], -normal[2]];
  const cuts: Record<FusedPlane, Cut> = {
    axial: { normal, right, down, count: ct.images.length, step_mm: step, direction: normal },
    sagittal: {
      normal: right,
      right: down,
      down: up,
      count: ct.pixel.columns,
      step_mm: ct.spacing_mm[1],
      direction: right,
    },
    coronal: {
      normal: down,
      right,
      down: up,
      count: ct.pixel.rows,
      step_mm: ct.spacing_mm[0],
      direction: down,
    },
  };
  return cuts[plane];
}

const negate = (v: Vec3): Vec3 => [-v[0], -v[1], -v[2]];

/** Cornerstone looks along minus the normal it is given; right = up x normal. */
function orientationOf(plane: FusedPlane, cut: Cut): { viewPlaneNormal: Vec3; viewUp: Vec3 } {
  const viewPlaneNormal = plane === "sagittal" ? cut.normal : negate(cut.normal);
  return { viewPlaneNormal, viewUp: negate(cut.down) };
}

/** CT volume below, SPECT volume above it, cut along one plane family of the CT grid. */
export function fusedSource(ct: SeriesDocument, plane: FusedPlane): PaneSource | null {
  const cut = cutOf(ct, plane);
  const first = ct.images[0]?.position;
  if (cut === null || first === null || first === undefined) return null;
  const centre = volumeCentre(ct, cut, first);
  const at = (index: number): Vec3 => {
    const origin = dot(subtract(first, centre), cut.direction);
    return along(centre, cut.direction, origin + index * cut.step_mm);
  };
  const orientation = orientationOf(plane, cut);
  let shown = -1;
  const show = (viewport: PlanarViewport, index: number): void => {
    viewport.setViewState({ slice: { kind: "volumePoint", sliceWorldPoint: at(index) } });
    shown = index;
  };
  return {
    planes: Array.from({ length: cut.count }, (_, index) => ({ position: at(index), image: null })),
    normal: cut.normal,
    right: cut.right,
    down: cut.down,
    step_mm: cut.step_mm,
    load: () => Promise.resolve(),
    isLoaded: () => cache.getVolume(SPECT_VOLUME) !== undefined,
    mount: async (viewport, index, look) => {
      await viewport.setDisplaySets(
        { displaySetId: CT_VOLUME, options: { orientation, role: "source" } },
        { displaySetId: SPECT_VOLUME, options: { orientation, role: "overlay" } },
      );
      dressFused(viewport, look);
      show(viewport, index);
    },
    show: async (viewport, index) => show(viewport, index),
    dress: dressFused,
    isShown: (_, index) => shown === index,
  };
}

function volumeCentre(ct: SeriesDocument, cut: Cut, first: Vec3): Vec3 {
  const frame = axes(ct);
  if (frame === null) return first;
  const half = (count: number, step: number): number => ((count - 1) * step) / 2;
  const acrossRow = along(first, frame.right, half(ct.pixel.columns, ct.spacing_mm[1]));
  const acrossBoth = along(acrossRow, frame.down, half(ct.pixel.rows, ct.spacing_mm[0]));
  return along(acrossBoth, frame.normal, half(ct.images.length, ct.slice_spacing_mm ?? cut.step_mm));
}

function dressFused(viewport: PlanarViewport, look: Look): void {
  viewport.setDisplaySetPresentation(CT_VOLUME, {
    voiRange: { lower: look.lower, upper: look.upper },
    interpolationType: interpolationOf(look),
  });
  viewport.setDisplaySetPresentation(SPECT_VOLUME, {
    voiRange: { lower: 0, upper: look.overlay_upper },
    visible: look.overlay,
    interpolationType: interpolationOf(look),
    colormap: {
      name: COLOUR_MAP_NAMES[look.overlay_map],
      opacity: look.opacity,
      threshold: look.threshold * look.overlay_upper,
    },
  });
}
