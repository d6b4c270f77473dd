import type { Preset, SeriesDocument } from "../api/types.ts";

export type ColourMap = "grey" | "inferno" | "hot";

/** Everything about a pane's picture that a physician can change; plain JSON, part of the draft. */
export interface Look {
  lower: number;
  upper: number;
  invert: boolean;
  map: ColourMap;
  interpolation: "linear" | "nearest";
  overlay: boolean;
  overlay_upper: number;
  overlay_map: ColourMap;
  opacity: number;
  threshold: number;
  zoom: number;
  centre: [number, number, number] | null;
}

/** Toolkit names of our colour maps; grey needs none. */
export const COLOUR_MAP_NAMES: Record<ColourMap, string> = {
  grey: "Grayscale",
  inferno: "Inferno (matplotlib)",
  hot: "osteon-hot-iron",
};
const MAP_ORDER: ColourMap[] = ["grey", "inferno", "hot"];
export const nextMap = (map: ColourMap): ColourMap =>
  MAP_ORDER[(MAP_ORDER.indexOf(map) + 1) % MAP_ORDER.length] as ColourMap;
/** The overlay is always coloured: grey over grey could not be told apart. */
export const nextOverlayMap = (map: ColourMap): ColourMap => (map === "inferno" ? "hot" : "inferno");

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
const round1 = (value: number): number => Math.round(value * 10) / 10;

export const widthOf = (look: Look): number => look.upper - look.lower;
export const centreOf = (look: Look): number => (look.upper + look.lower) / 2;

/** CT range from centre and width, both bounded. */
export function windowRange(centre: number, width: number): { lower: number; upper: number } {
  const c = clamp(Number.isFinite(centre) ? centre : 40, -1024, 3071);
  const w = clamp(Number.isFinite(width) ? width : 400, 1, 4095);
  return { lower: c - w / 2, upper: c + w / 2 };
}

export const scaleWidth = (look: Look, factor: number): Partial<Look> =>
  windowRange(centreOf(look), widthOf(look) * factor);
export const moveCentre = (look: Look, by: number): Partial<Look> =>
  windowRange(centreOf(look) + by, widthOf(look));
export const scaleUpper = (look: Look, factor: number): Partial<Look> => ({
  upper: Math.max(look.lower + 1e-3, look.upper * factor),
});
export const scaleOverlay = (look: Look, factor: number): Partial<Look> => ({
  overlay_upper: Math.max(1e-3, look.overlay_upper * factor),
});
/** What a look says of the overlay, which is one thing in three panes. */
export const overlayOf = ({
  overlay,
  overlay_upper,
  overlay_map,
  opacity,
  threshold,
}: Look): Partial<Look> => ({
  overlay,
  overlay_upper,
  overlay_map,
  opacity,
  threshold,
});
export const changeOpacity = (look: Look, by: number): Partial<Look> => ({
  opacity: clamp(round1(look.opacity + by), 0, 1),
});

const firstPreset = (presets: readonly Preset[], fallback: Preset): Preset => presets[0] ?? fallback;

/** The protocol's look of a pane; reset returns to it. */
export function protocolLook(
  ct: SeriesDocument | undefined,
  own: SeriesDocument,
  overlay?: SeriesDocument,
): Look {
  const grey = own.role === "CT";
  const fallback = grey ? { name: "bone", lower: -300, upper: 1200 } : { name: "full", lower: 0, upper: 255 };
  const range = firstPreset((ct ?? own).presets, fallback);
  return {
    lower: range.lower,
    upper: range.upper,
    invert: !grey,
    map: "grey",
    interpolation: "linear",
    overlay: true,
    overlay_upper: firstPreset(overlay?.presets ?? [], { name: "full", lower: 0, upper: 255 }).upper,
    overlay_map: "inferno",
    opacity: 0.5,
    threshold: 0.1,
    zoom: 1,
    centre: null,
  };
}

const isFinitePart = (value: unknown): boolean => typeof value !== "number" || Number.isFinite(value);

/** A saved look laid over the protocol's; anything of another type or not finite is ignored. */
export function restoreLook(protocol: Look, saved: unknown): Look {
  if (typeof saved !== "object" || saved === null) return protocol;
  const known = Object.entries(saved).filter(([key, value]) => {
    if (!Object.hasOwn(protocol, key) || !isFinitePart(value)) return false;
    const own = protocol[key as keyof Look];
    return key === "centre"
      ? value === null || (Array.isArray(value) && value.length === 3 && value.every(Number.isFinite))
      : typeof value === typeof own;
  });
  return { ...protocol, ...Object.fromEntries(known) } as Look;
}
