import { readFileSync } from "node:fs";
import type { Vec3 } from "../api/types.ts";
import type { ImageGeometry, RowColumn } from "./geometry.ts";

interface GoldenCase {
  name: string;
  image: ImageGeometry;
  vertices: Vec3[];
  row_column: RowColumn[];
  mask_pixels: RowColumn[];
  problems: string[];
}
/** The outlines that the Python and the TypeScript tests read alike. */
export const golden = JSON.parse(
  readFileSync(new URL("../../../tests/golden/outline_geometry.json", import.meta.url), "utf-8"),
) as { cases: GoldenCase[] };
