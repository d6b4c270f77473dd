import type { Role } from "../api/types.ts";
import type { PaneFacts, PaneId } from "./pane.ts";

export interface PaneProtocol {
  id: PaneId;
  role: Role | null;
  title: string;
  letters: PaneFacts["letters"];
}

/** The hanging protocol: pane by pane, left to right, top to bottom. A null role is CT below SPECT. */
export const PROTOCOL: PaneProtocol[] = [
  { id: "ct", role: "CT", title: "CT axial", letters: null },
  { id: "spect", role: "SPECT", title: "SPECT axial", letters: null },
  { id: "fused-axial", role: null, title: "Fused axial", letters: null },
  { id: "fused-sagittal", role: null, title: "Fused sagittal", letters: null },
  { id: "fused-coronal", role: null, title: "Fused coronal", letters: null },
  {
    id: "wb-ant",
    role: "WB-ANT",
    title: "Anterior",
    letters: { left: "R", right: "L", top: "H", bottom: "F" },
  },
  {
    id: "wb-post",
    role: "WB-POST",
    title: "Posterior",
    letters: { left: "L", right: "R", top: "H", bottom: "F" },
  },
];
