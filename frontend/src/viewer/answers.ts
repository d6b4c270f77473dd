import type { ImageDocument, SeriesDocument } from "../api/types.ts";

type Entry = { series: SeriesDocument; image: ImageDocument };
/** What the toolkit asks of an image, by the name of a module. */
export type Answerer = (type: string, imageId: unknown) => object | undefined;

export const imageIdOf = (image: ImageDocument): string => `wadors:${image.url}`;

function imagePlane({ series, image }: Entry): object {
  const cosines = series.orientation ?? [1, 0, 0, 0, 1, 0];
  return {
    // whole-body images share no space with anything: one frame of reference each
    frameOfReferenceUID: series.frame_of_reference_uid ?? `${image.sop_instance_uid}.${image.frame}`,
    rows: series.pixel.rows,
    columns: series.pixel.columns,
    imageOrientationPatient: cosines,
    rowCosines: cosines.slice(0, 3),
    columnCosines: cosines.slice(3, 6),
    imagePositionPatient: image.position ?? [0, 0, 0],
    sliceThickness: series.slice_thickness_mm ?? series.slice_spacing_mm ?? 1,
    pixelSpacing: series.spacing_mm,
    rowPixelSpacing: series.spacing_mm[0],
    columnPixelSpacing: series.spacing_mm[1],
    usingDefaultValues: false,
  };
}

function imagePixel({ series: { pixel } }: Entry): object {
  return {
    samplesPerPixel: pixel.samples,
    photometricInterpretation: pixel.photometric,
    rows: pixel.rows,
    columns: pixel.columns,
    bitsAllocated: pixel.bits_allocated,
    bitsStored: pixel.bits_stored,
    highBit: pixel.high_bit,
    pixelRepresentation: pixel.signed ? 1 : 0,
  };
}

function voiLut({ series }: Entry): object {
  const preset = series.presets[0];
  if (preset === undefined) return {};
  return {
    windowCenter: [(preset.lower + preset.upper) / 2],
    windowWidth: [preset.upper - preset.lower],
  };
}

const ANSWERS: Record<string, (entry: Entry) => object> = {
  imagePlaneModule: imagePlane,
  imagePixelModule: imagePixel,
  voiLutModule: voiLut,
  generalSeriesModule: ({ series }) => ({
    modality: series.role === "CT" ? "CT" : "NM",
    seriesInstanceUID: series.series_uid,
    studyInstanceUID: series.study_uid,
    seriesDescription: series.role,
  }),
  modalityLutModule: ({ series, image }) => {
    const { slope, intercept } = image.rescale ?? series.rescale;
    return {
      rescaleSlope: slope,
      rescaleIntercept: intercept,
      rescaleType: series.rescale.unit,
    };
  },
  sopCommonModule: ({ image }) => ({ sopInstanceUID: image.sop_instance_uid }),
  transferSyntax: ({ series }) => ({ transferSyntaxUID: series.transfer_syntax_uid }),
};

/** Answers from the case document alone; images of other cases have none. */
export function answererOf(allSeries: readonly SeriesDocument[]): Answerer {
  const entries = new Map<string, Entry>();
  for (const series of allSeries) {
    for (const image of series.images) entries.set(imageIdOf(image), { series, image });
  }
  return (type, imageId) => {
    const entry = typeof imageId === "string" ? entries.get(imageId) : undefined;
    return entry === undefined ? undefined : ANSWERS[type]?.(entry);
  };
}
