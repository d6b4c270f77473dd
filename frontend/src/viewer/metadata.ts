import { metaData } from "@cornerstonejs/core";
import { utilities } from "@cornerstonejs/metadata";
import type { SeriesDocument } from "../api/types.ts";
import { answererOf } from "./answers.ts";

const PRIORITY = 10_000;

/** Answers the toolkit's metadata questions from the case document alone; returns the way to forget the case. */
export function provideMetadata(allSeries: readonly SeriesDocument[]): () => void {
  const provider = answererOf(allSeries);
  metaData.addProvider(provider, PRIORITY);
  return () => {
    metaData.removeProvider(provider);
    // the toolkit's metadata cache outlives its image cache
    utilities.clearCacheData();
  };
}
