import type { SeriesDocument } from "../api/types.ts";

/**
 * One pixel type for all images of a series. Left alone, the toolkit picks the smallest type image by image,
 * and a volume takes the type of its first image: counts above 255 would wrap around in the fused panes.
 */
export function bufferType(series: SeriesDocument): "Int16Array" | "Uint16Array" | "Float32Array" {
  const { slope, intercept } = series.rescale;
  if (series.images.some((image) => image.rescale !== undefined)) return "Float32Array";
  if (!Number.isInteger(slope) || !Number.isInteger(intercept)) return "Float32Array";
  if (series.role === "CT" && slope === 1) return "Int16Array";
  const span = 2 ** series.pixel.bits_stored;
  const least = series.pixel.signed ? -span / 2 : 0;
  const low = slope * least + intercept;
  const high = slope * (least + span - 1) + intercept;
  if (low >= 0 && high <= 65535) return "Uint16Array";
  return low >= -32768 && high <= 32767 ? "Int16Array" : "Float32Array";
}
