import type { Slot } from "../api/types.ts";
import { useStore } from "../ui/store.ts";
import { COMMANDS } from "./commands.ts";
import type { Desk } from "./desk.ts";

const FAULT_TEXT: Record<string, string> = {
  required: "An outline is needed.",
  too_few_points: "Too few points (at least 3, at most 2,000).",
  self_intersection: "The line crosses itself.",
  off_plane: "The outline does not lie on its slice.",
  outside_image: "The outline leaves the image.",
  too_small: "The outline holds no pixel centre.",
  wrong_image: "The outline belongs to another image.",
  copy_mismatch: "The copy differs from its source and shift.",
};
export const faultText = (code: string): string => FAULT_TEXT[code] ?? code;

function SlotRow({ desk, slot }: { desk: Desk; slot: Slot }) {
  const { outlines } = useStore(desk.store);
  const outline = outlines.present[slot];
  const faults = desk.outlineFaults(slot);
  const images = desk.images[slot];
  const index = images.findIndex(
    (i) => i.sop_instance_uid === outline?.sop_instance_uid && i.frame === outline.frame,
  );
  return (
    <li data-slot={slot} data-outlined={outline !== null}>
      <strong>{slot}</strong>{" "}
      {outline === null ? (
        "not outlined"
      ) : (
        <>
          outlined on slice {index + 1}
          {outline.copy === null ? "" : `, copied from ${outline.copy.source}`}
        </>
      )}
      {faults.map((fault) => (
        <span class="problem" key={fault}>
          ⚠ {faultText(fault)}
        </span>
      ))}
    </li>
  );
}

/** Banner of the mode with its keys, and a button for each of its actions. */
function ModeBanner({ desk }: { desk: Desk }) {
  const { mode } = useStore(desk.store);
  if (mode.kind === "view") return null;
  const text =
    mode.kind === "shift"
      ? `Shifting the ${mode.slot} outline: arrows 0.5 mm, Ctrl+arrows 0.1 mm, Shift+PageUp/PageDown to another slice.`
      : mode.tool === "freehand"
        ? `Drawing on ${mode.slot}: keep the button down and draw around the lesion. P: points.`
        : `Points on ${mode.slot}: click or Space sets a point, Enter closes, Backspace takes one back. H: freehand.`;
  return (
    <p class="mode" role="note">
      {text} Escape leaves.
    </p>
  );
}

function Action({
  desk,
  command,
  label,
  disabled,
  pressed,
}: {
  desk: Desk;
  command: string;
  label: string;
  disabled?: boolean;
  pressed?: boolean;
}) {
  return (
    <button
      type="button"
      class="tool"
      disabled={disabled}
      aria-pressed={pressed}
      onClick={() => COMMANDS[command]?.(desk)}
    >
      {label}
    </button>
  );
}

export function OutlinePanel({ desk }: { desk: Desk }) {
  const { mode, outlines, ghost, readOnly } = useStore(desk.store);
  if (desk.case.task !== "outline") return null;
  const isOutline = mode.kind === "outline";
  const refusal = desk.outlining.copyRefusal();
  const isClosed = readOnly !== null;
  return (
    <section class="outlines" aria-label="Outlines">
      <ul>
        <SlotRow desk={desk} slot="CT" />
        <SlotRow desk={desk} slot="SPECT" />
      </ul>
      <ModeBanner desk={desk} />
      <div class="group wrap">
        <Action
          desk={desk}
          command="outline-mode"
          label={mode.kind === "view" ? "Start outlining" : "Leave the mode"}
          disabled={isClosed}
        />
        <Action
          desk={desk}
          command="tool-freehand"
          label="Freehand"
          disabled={!isOutline}
          pressed={isOutline && mode.tool === "freehand"}
        />
        <Action
          desk={desk}
          command="tool-points"
          label="Points"
          disabled={!isOutline}
          pressed={isOutline && mode.tool === "points"}
        />
        <Action desk={desk} command="close" label="Close" disabled={!isOutline || mode.open.length < 3} />
        <Action desk={desk} command="undo" label="Undo" disabled={isClosed || outlines.past.length === 0} />
        <Action desk={desk} command="redo" label="Redo" disabled={isClosed || outlines.future.length === 0} />
        <Action desk={desk} command="copy" label="Copy across" disabled={isClosed || refusal !== null} />
        <Action
          desk={desk}
          command="shift-mode"
          label="Shift"
          disabled={isClosed}
          pressed={mode.kind === "shift"}
        />
        <Action desk={desk} command="ghost" label="Ghost" pressed={ghost} />
        <Action desk={desk} command="outline-delete" label="Delete" disabled={isClosed} />
      </div>
      {mode.kind === "shift" ? (
        <div class="group wrap" role="group" aria-label="Shift the outline">
          <Action desk={desk} command="cursor-left" label="← 0.5 mm" />
          <Action desk={desk} command="cursor-right" label="→ 0.5 mm" />
          <Action desk={desk} command="cursor-up" label="↑ 0.5 mm" />
          <Action desk={desk} command="cursor-down" label="↓ 0.5 mm" />
          <Action desk={desk} command="shift-slice-up" label="Next slice" />
          <Action desk={desk} command="shift-slice-down" label="Previous slice" />
        </div>
      ) : null}
      {refusal !== null && !desk.case.copy.ok ? <p class="hint">Copying is off: {refusal}</p> : null}
    </section>
  );
}
