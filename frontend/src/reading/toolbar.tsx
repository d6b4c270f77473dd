import type { ComponentChildren } from "preact";
import { useStore } from "../ui/store.ts";
import { centreOf, type Look, widthOf, windowRange } from "../viewer/look.ts";
import type { Pane, PaneId } from "../viewer/pane.ts";
import type { Tool } from "../viewer/pointer.ts";
import { applyPreset, COMMANDS, dressOverlay } from "./commands.ts";
import type { Desk } from "./desk.ts";

const TOOLS: [Tool, string][] = [
  ["window", "Window"],
  ["pan", "Pan"],
  ["zoom", "Zoom"],
  ["scroll", "Scroll"],
];
const PANES: [PaneId, string][] = [
  ["ct", "CT"],
  ["spect", "SPECT"],
  ["fused-axial", "Fused axial"],
  ["fused-sagittal", "Fused sagittal"],
  ["fused-coronal", "Fused coronal"],
  ["wb-ant", "Anterior"],
  ["wb-post", "Posterior"],
];

function Do({
  desk,
  command,
  label,
  pressed,
  children,
}: {
  desk: Desk;
  command: string;
  label: string;
  pressed?: boolean;
  children: ComponentChildren;
}) {
  // the spoken name begins with what is written on the button
  const name = typeof children === "string" && children.length > 2 ? `${children}: ${label}` : label;
  return (
    <button
      type="button"
      class="tool"
      aria-label={name}
      title={label}
      aria-pressed={pressed}
      onClick={() => COMMANDS[command]?.(desk)}
    >
      {children}
    </button>
  );
}

function NumberField({
  label,
  value,
  onValue,
}: {
  label: string;
  value: number;
  onValue: (value: number) => void;
}) {
  return (
    <label class="number">
      {label}
      <input
        type="number"
        value={Math.round(value)}
        onChange={({ currentTarget }) => {
          if (Number.isFinite(currentTarget.valueAsNumber)) onValue(currentTarget.valueAsNumber);
        }}
      />
    </label>
  );
}

function Presets({ desk, pane }: { desk: Desk; pane: Pane }) {
  const role = pane.id.startsWith("fused") ? "SPECT" : pane.facts.role;
  const presets = desk.document.series.find((series) => series.role === role)?.presets ?? [];
  const isCurrent = (look: Look, lower: number, upper: number): boolean =>
    pane.id.startsWith("fused") ? look.overlay_upper === upper : look.lower === lower && look.upper === upper;
  return (
    <div class="group" role="group" aria-label="Window presets">
      {presets.map((preset, index) => (
        <button
          type="button"
          class="tool"
          key={preset.name}
          aria-pressed={isCurrent(pane.look, preset.lower, preset.upper)}
          onClick={() => applyPreset(desk, pane, index)}
        >
          {preset.name}
        </button>
      ))}
    </div>
  );
}

function WindowFields({ desk, pane }: { desk: Desk; pane: Pane }) {
  const { look } = pane;
  if (pane.id.startsWith("fused")) {
    return (
      <div class="group">
        <NumberField
          label="Overlay to"
          value={look.overlay_upper}
          onValue={(v) => dressOverlay(desk, () => ({ overlay_upper: Math.max(1e-3, v) }))}
        />
        <NumberField
          label="Threshold %"
          value={look.threshold * 100}
          onValue={(v) => dressOverlay(desk, () => ({ threshold: Math.min(0.5, Math.max(0, v / 100)) }))}
        />
      </div>
    );
  }
  if (pane.facts.role !== "CT") {
    return (
      <div class="group">
        <NumberField
          label="Upper"
          value={look.upper}
          onValue={(v) => pane.setLook({ upper: Math.max(look.lower + 1e-3, v) })}
        />
      </div>
    );
  }
  return (
    <div class="group">
      <NumberField
        label="Centre"
        value={centreOf(look)}
        onValue={(v) => pane.setLook(windowRange(v, widthOf(look)))}
      />
      <NumberField
        label="Width"
        value={widthOf(look)}
        onValue={(v) => pane.setLook(windowRange(centreOf(look), v))}
      />
    </div>
  );
}

function LookButtons({ desk, pane }: { desk: Desk; pane: Pane }) {
  const fused = pane.id.startsWith("fused");
  return (
    <div class="group" role="group" aria-label="Picture">
      {fused ? (
        <>
          <Do desk={desk} command="overlay" label="Overlay on or off" pressed={pane.look.overlay}>
            Overlay
          </Do>
          <Do desk={desk} command="opacity-down" label="Less opacity">
            α −
          </Do>
          <Do desk={desk} command="opacity-up" label="More opacity">
            α +
          </Do>
        </>
      ) : (
        <Do desk={desk} command="invert" label="Invert grey" pressed={pane.look.invert}>
          Invert
        </Do>
      )}
      <Do desk={desk} command="colour-map" label="Next colour map">
        Colours
      </Do>
      <Do
        desk={desk}
        command="interpolation"
        label="Smooth picture"
        pressed={pane.look.interpolation === "linear"}
      >
        Smooth
      </Do>
      <Do desk={desk} command="reset" label="Reset the picture to the protocol">
        Reset
      </Do>
    </div>
  );
}

function MoveButtons({ desk }: { desk: Desk }) {
  return (
    <div class="group" role="group" aria-label="Slice, zoom and pan">
      <Do desk={desk} command="slice-previous" label="Previous slice">
        ▼
      </Do>
      <Do desk={desk} command="slice-next" label="Next slice">
        ▲
      </Do>
      <Do desk={desk} command="zoom-out" label="Zoom out">
        −
      </Do>
      <Do desk={desk} command="zoom-in" label="Zoom in">
        +
      </Do>
      <Do desk={desk} command="fit" label="Fit the image">
        Fit
      </Do>
      <Do desk={desk} command="pan-left" label="Pan left">
        ←
      </Do>
      <Do desk={desk} command="pan-right" label="Pan right">
        →
      </Do>
      <Do desk={desk} command="pan-up" label="Pan up">
        ↑
      </Do>
      <Do desk={desk} command="pan-down" label="Pan down">
        ↓
      </Do>
    </div>
  );
}

/** Buttons for the active pane: everything a drag or a key does can be done here, too. */
export function Toolbar({ desk }: { desk: Desk }) {
  const { active, tool, isLinked, crosshair, marks, mode } = useStore(desk.store);
  const pane = desk.pane(active);
  return (
    <div class="toolbar" role="toolbar" aria-label="Tools for the active pane">
      <label class="switcher">
        Pane
        <select value={active} onChange={({ currentTarget }) => desk.activate(currentTarget.value as PaneId)}>
          {PANES.map(([id, label]) => (
            <option key={id} value={id}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <div class="group" role="group" aria-label="Left button">
        {TOOLS.map(([name, label]) => (
          <button
            type="button"
            class="tool"
            key={name}
            aria-pressed={tool === name}
            onClick={() => desk.store.set({ tool: name })}
          >
            {label}
          </button>
        ))}
      </div>
      <MoveButtons desk={desk} />
      <div class="group" role="group" aria-label="Position">
        <Do desk={desk} command="lesion" label="Back to the lesion">
          Lesion
        </Do>
        <Do desk={desk} command="link" label="Link the panes" pressed={isLinked}>
          Link
        </Do>
        <Do desk={desk} command="crosshair" label="Crosshair" pressed={crosshair}>
          Cross
        </Do>
        <Do desk={desk} command="marks" label="Show outlines and lesion marker" pressed={marks}>
          Marks
        </Do>
      </div>
      {pane === null ? null : (
        <>
          <Presets desk={desk} pane={pane} />
          <WindowFields desk={desk} pane={pane} />
          <LookButtons desk={desk} pane={pane} />
        </>
      )}
      {desk.case.task === "outline" ? (
        <Do desk={desk} command="outline-mode" label="Outline mode" pressed={mode.kind !== "view"}>
          Outline
        </Do>
      ) : null}
    </div>
  );
}
