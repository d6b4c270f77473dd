import { useEffect, useRef, useState } from "preact/hooks";
import type { LayoutName } from "../api/types.ts";
import { useStore } from "../ui/store.ts";
import { COMMANDS } from "./commands.ts";
import type { Desk } from "./desk.ts";
import { Dialogs } from "./dialogs.tsx";
import { ReadForm } from "./form.tsx";
import { attachKeyboard } from "./keyboard.ts";
import { OutlinePanel } from "./outline_panel.tsx";
import { Status } from "./status.tsx";
import { Toolbar } from "./toolbar.tsx";

const LAYOUT_LABELS: [LayoutName, string][] = [
  ["six", "Six"],
  ["pair", "Pair"],
  ["axial", "Axial"],
  ["single", "Single"],
];

function Banner({ desk }: { desk: Desk }) {
  const { layout } = useStore(desk.store);
  const { position, count, lesion, urls } = desk.case;
  return (
    <header class="banner">
      <a href={urls.home} class="home">
        Reading room
      </a>
      <h1>
        Case {position} of {count}
        {lesion.label === null ? null : <span class="lesion-label"> · lesion {lesion.label}</span>}
      </h1>
      <div class="segmented" role="group" aria-label="Layout">
        {LAYOUT_LABELS.map(([name, label]) => (
          <button
            type="button"
            key={name}
            aria-pressed={layout === name}
            onClick={() => (name === "single" ? COMMANDS["layout-single"]?.(desk) : desk.setLayout(name))}
          >
            {label}
          </button>
        ))}
      </div>
      <button type="button" class="button quiet" onClick={() => COMMANDS.help?.(desk)}>
        Keys and settings <kbd>?</kbd>
      </button>
    </header>
  );
}

/** The panes are built by the viewer; the panel only lays them out and marks the active one. */
function Panes({ desk }: { desk: Desk }) {
  const host = useRef<HTMLDivElement>(null);
  const { layout, active } = useStore(desk.store);
  useEffect(() => {
    if (host.current !== null) void desk.show(host.current);
  }, [desk]);
  useEffect(() => {
    for (const pane of desk.viewer?.panes.values() ?? [])
      pane.dom.root.dataset.active = String(pane.id === active);
  }, [desk, active, layout]);
  return <div id="panes" class="panes" data-layout={layout} ref={host} />;
}

function Aid({ desk }: { desk: Desk }) {
  const { aid } = desk.case;
  if (aid === null) return null;
  return (
    <p class="aid">
      {aid.model}: probability of metastasis <strong>{Math.round(aid.probability * 100)} %</strong>
    </p>
  );
}

const REOPEN_REASONS: [string, string][] = [
  ["slip", "A slip of mine"],
  ["technical", "A technical fault"],
  ["protocol", "Not as the protocol says"],
  ["other", "Another reason"],
];
const SHORTEST_REASON = 10;

function Reopen({ desk }: { desk: Desk }) {
  const [code, setCode] = useState("slip");
  const [reason, setReason] = useState("");
  if (desk.case.state !== "submitted") return null;
  return (
    <div class="question">
      <label for="reopen-code">Reason to reopen this read</label>
      <select id="reopen-code" value={code} onChange={({ currentTarget }) => setCode(currentTarget.value)}>
        {REOPEN_REASONS.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <label for="reopen-reason">In at least {SHORTEST_REASON} characters</label>
      <textarea
        id="reopen-reason"
        rows={2}
        value={reason}
        onInput={({ currentTarget }) => setReason(currentTarget.value)}
      />
      <button
        type="button"
        class="button"
        disabled={reason.trim().length < SHORTEST_REASON}
        onClick={() => void desk.reopen(code, reason)}
      >
        Reopen
      </button>
    </div>
  );
}

function Panel({ desk }: { desk: Desk }) {
  const { readOnly } = useStore(desk.store);
  const { task, instructions } = desk.case;
  return (
    <form
      id="form"
      class="panel"
      tabIndex={-1}
      aria-label={task === "read" ? "Read" : "Outlines"}
      onSubmit={(event) => event.preventDefault()}
    >
      <div class="questions">
        <h2>{task === "read" ? "Your read" : "Your outlines"}</h2>
        <details class="instructions">
          <summary>Instructions</summary>
          <p>{instructions}</p>
        </details>
        <Aid desk={desk} />
        {readOnly === null ? null : <p class="banner-note">{readOnly}</p>}
        <ReadForm desk={desk} />
        <OutlinePanel desk={desk} />
        <Reopen desk={desk} />
      </div>
      <div class="submit">
        <button
          type="button"
          class="button primary"
          disabled={readOnly !== null}
          onClick={() => void desk.openSummary()}
        >
          Check and submit <kbd>Ctrl+Enter</kbd>
        </button>
      </div>
    </form>
  );
}

export function App({ desk }: { desk: Desk }) {
  useEffect(() => attachKeyboard(desk), [desk]);
  const { preferences } = useStore(desk.store);
  return (
    <div class={`desk ${preferences.text_size}`}>
      <nav class="skips" aria-label="Skip links">
        <a href="#panes">To the images</a>
        <a href="#form">To the form</a>
      </nav>
      <Banner desk={desk} />
      <main class="room">
        <h2 class="unseen">Images</h2>
        <Panes desk={desk} />
        <Toolbar desk={desk} />
      </main>
      <aside class="side" aria-label="Answers">
        <Panel desk={desk} />
        <Status desk={desk} />
      </aside>
      <Dialogs desk={desk} />
    </div>
  );
}
