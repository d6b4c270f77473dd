import { Fragment } from "preact";
import { useState } from "preact/hooks";
import type { Preferences } from "../api/types.ts";
import { Modal } from "../ui/modal.tsx";
import { useStore } from "../ui/store.ts";
import type { Desk } from "./desk.ts";
import { assignKeys, keyLabel, pressName, reassign, type Scope, type Shortcut } from "./keymap.ts";

const SCOPE_TITLES: [Scope, string][] = [
  ["desk", "Desk"],
  ["form", "Form"],
  ["pane", "Active pane"],
  ["outline", "Outline and shift mode"],
];
/** Pressed alone they name no key yet; the others belong to the dialog. */
const NO_KEY = new Set(["Shift", "Control", "Alt", "Meta", "AltGraph", "Tab", "Dead", "Process"]);

function KeyNames({ keys }: { keys: string[] }) {
  if (keys.length === 0) return <>none</>;
  return (
    <>
      {keys.map((key, index) => (
        <Fragment key={key}>
          {index === 0 ? null : " or "}
          <kbd>{keyLabel(key)}</kbd>
        </Fragment>
      ))}
    </>
  );
}

function KeyRow({
  row,
  isAsked,
  onAsk,
  onPress,
}: {
  row: Shortcut;
  isAsked: boolean;
  onAsk: () => void;
  onPress: (event: KeyboardEvent) => void;
}) {
  return (
    <tr>
      <th scope="row">
        <button
          type="button"
          class="key"
          aria-pressed={isAsked}
          onClick={onAsk}
          onKeyDown={(event) => (isAsked ? onPress(event) : undefined)}
        >
          <span class="unseen">{row.label}: </span>
          {isAsked ? "press a key" : <KeyNames keys={row.keys} />}
        </button>
      </th>
      <td>{row.label}</td>
    </tr>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: [string, string][];
  onPick: (value: string) => void;
}

function Pick({ label, value, options, onPick }: ChoiceProps) {
  return (
    <label class="pick">
      {label}{" "}
      <select value={value} onChange={({ currentTarget }) => onPick(currentTarget.value)}>
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

function Settings({ desk, keep }: { desk: Desk; keep: (change: Partial<Preferences>) => void }) {
  const { preferences } = useStore(desk.store);
  return (
    <fieldset class="settings">
      <legend>Settings, on every machine</legend>
      <Pick
        label="Text"
        value={preferences.text_size}
        options={[
          ["normal", "normal"],
          ["large", "large"],
        ]}
        onPick={(text) => keep({ text_size: text as Preferences["text_size"] })}
      />
      <Pick
        label="Layout of the next case"
        value={preferences.layout ?? ""}
        options={[
          ["", "as the task needs"],
          ["six", "six"],
          ["pair", "pair"],
          ["axial", "axial"],
          ["single", "single"],
        ]}
        onPick={(layout) => keep({ layout: layout === "" ? null : (layout as Preferences["layout"]) })}
      />
      <Pick
        label="Pictures of the next case drawn by"
        value={preferences.backend}
        options={[
          ["auto", "what suits this machine"],
          ["gpu", "graphics card"],
          ["cpu", "processor"],
        ]}
        onPick={(backend) => keep({ backend: backend as Preferences["backend"] })}
      />
      <label class="pick">
        <input
          type="checkbox"
          checked={preferences.single_keys}
          onChange={({ currentTarget }) => keep({ single_keys: currentTarget.checked })}
        />{" "}
        Single keys work
      </label>
    </fieldset>
  );
}

/** The key table with the user's own keys, each of which can be changed, and the desk's settings. */
export function Keys({ desk, onClose }: { desk: Desk; onClose: () => void }) {
  const { preferences } = useStore(desk.store);
  const [asked, setAsked] = useState<string | null>(null);
  const [refusal, setRefusal] = useState("");
  const keep = (change: Partial<Preferences>): void =>
    void desk.keepPreferences({ ...preferences, ...change });
  const onPress = (command: string, event: KeyboardEvent): void => {
    if (NO_KEY.has(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    setAsked(null);
    if (event.key === "Escape") return setRefusal("");
    // in outline mode Backspace is a key of its own
    const key = event.key === "Backspace" && !command.startsWith("vertex") ? "" : pressName(event);
    const next = reassign(preferences.keys, command, key);
    if ("refusal" in next) return setRefusal(next.refusal);
    setRefusal("");
    keep({ keys: next.own });
  };
  const table = assignKeys(preferences.keys);
  return (
    <Modal title="Keys and settings" onClose={onClose}>
      <Settings desk={desk} keep={keep} />
      <p class="hint">
        To change a key, choose it and press the new one; Backspace switches it off, Escape leaves it.
      </p>
      <p role="alert" class={refusal === "" ? "unseen" : "problem"}>
        {refusal}
      </p>
      <div class="keys">
        {SCOPE_TITLES.map(([scope, title]) => (
          <section key={scope}>
            <h3>{title}</h3>
            <table>
              <tbody>
                {table
                  .filter((row) => row.scope === scope)
                  .map((row) => (
                    <KeyRow
                      key={row.command}
                      row={row}
                      isAsked={asked === row.command}
                      onAsk={() => setAsked(row.command)}
                      onPress={(event) => onPress(row.command, event)}
                    />
                  ))}
              </tbody>
            </table>
          </section>
        ))}
      </div>
      <div class="actions">
        <button type="button" class="button" onClick={() => keep({ keys: {} })}>
          All keys as delivered
        </button>
        <button type="button" class="button primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Modal>
  );
}
