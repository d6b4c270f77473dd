import { cache, Enums, type PlanarViewport, utilities, volumeLoader } from "@cornerstonejs/core";
import type { SeriesDocument, Vec3 } from "../api/types.ts";
import { along } from "../roi/vec.ts";
import { axesOf, type Cut, cutOf, cutPositions, type FusedPlane } from "../roi/volume_cut.ts";
import { imageIdOf } from "./answers.ts";
import type { ImageLoader } from "./loader.ts";
import { COLOUR_MAP_NAMES, type Look } from "./look.ts";

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
  /** The point of a slice that lies in the middle of the pane when the image fits. */
  middle: (index: number) => Vec3;
  load: (index: number) => Promise<void>;
  isLoaded: (index: number) => boolean;
  mount: (viewport: PlanarViewport, index: number, look: Look) => Promise<void>;
  show: (viewport: PlanarViewport, index: number) => Promise<void>;
  dress: (viewport: PlanarViewport, look: Look) => void;
  isShown: (viewport: PlanarViewport, index: number) => boolean;
}

const interpolationOf = (look: Look): number =>
  look.interpolation === "nearest" ? Enums.InterpolationType.NEAREST : Enums.InterpolationType.LINEAR;

/** A series in its own slices: the only panes in which outlines are drawn. */
export function nativeSource(
  series: SeriesDocument,
  loader: ImageLoader,
  key: string = series.role,
): PaneSource {
  const imageIds = series.images.map(imageIdOf);
  const frame = axesOf(series);
  const idAt = (index: number): string => imageIds[index] as string;
  return {
    planes: series.images.map((image) => ({
      position: image.position ?? [0, 0, 0],
      image: { sop_instance_uid: image.sop_instance_uid, frame: image.frame },
    })),
    normal: frame?.normal ?? null,
    right: frame?.right ?? null,
    down: frame?.down ?? null,
    step_mm: Math.abs(series.slice_spacing_mm ?? series.slice_thickness_mm ?? 1),
    middle: (index) => middleOf(series, index),
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

/** Planar images lie at the origin of a space of their own. */
function middleOf(series: SeriesDocument, index: number): Vec3 {
  const frame = axesOf(series) ?? { right: [1, 0, 0], down: [0, 1, 0] };
  const corner = series.images[index]?.position ?? [0, 0, 0];
  const half = (count: number, spacing: number): number => ((count - 1) * spacing) / 2;
  const across = along(corner, frame.right as Vec3, half(series.pixel.columns, series.spacing_mm[1]));
  return along(across, frame.down as Vec3, half(series.pixel.rows, series.spacing_mm[0]));
}

const dressStack = (viewport: PlanarViewport, key: string, look: Look): void =>
  viewport.setDisplaySetPresentation(key, {
    voiRange: { lower: look.lower, upper: look.upper },
    invert: look.invert,
    colormap: { name: COLOUR_MAP_NAMES[look.map] },
    interpolationType: interpolationOf(look),
  });

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

const negate = (v: Vec3): Vec3 => [-v[0], -v[1], -v[2]];

/** Cornerstone looks along minus the normal it is given; right = up x normal. */
function orientationOf(plane: FusedPlane, cut: Cut): { viewPlaneNormal: Vec3; viewUp: Vec3 } {
  const viewPlaneNormal = plane === "sagittal" ? cut.normal : negate(cut.normal);
  return { viewPlaneNormal, viewUp: negate(cut.down) };
}

/** CT volume below, SPECT volume above it, cut along one plane family of the CT grid. */
export function fusedSource(ct: SeriesDocument, plane: FusedPlane): PaneSource | null {
  const cut = cutOf(ct, plane);
  if (cut === null) return null;
  const positions = cutPositions(ct, cut);
  const orientation = orientationOf(plane, cut);
  let shown = -1;
  const show = (viewport: PlanarViewport, index: number): void => {
    viewport.setViewState({ slice: { kind: "volumePoint", sliceWorldPoint: positions[index] as Vec3 } });
    shown = index;
  };
  return {
    planes: positions.map((position) => ({ position, image: null })),
    normal: cut.normal,
    right: cut.right,
    down: cut.down,
    step_mm: cut.step_mm,
    middle: (index) => positions[index] as Vec3,
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
