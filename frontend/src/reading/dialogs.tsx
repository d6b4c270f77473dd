import { useState } from "preact/hooks";
import type { DraftDocument, Slot } from "../api/types.ts";
import { Modal } from "../ui/modal.tsx";
import { isSame } from "../ui/same.ts";
import { useStore } from "../ui/store.ts";
import type { Desk } from "./desk.ts";
import { problemText } from "./form.tsx";
import { Keys } from "./keys_dialog.tsx";
import { mergeDrafts, type Side } from "./merge.ts";
import { faultText } from "./outline_panel.tsx";
import { answerText, visibleQuestions } from "./questions.ts";

const SLOTS: Slot[] = ["CT", "SPECT"];

function Summary({ desk, onClose }: { desk: Desk; onClose: () => void }) {
  const { answers, outlines, problems } = useStore(desk.store);
  const [isSent, setSent] = useState(false);
  const questions = visibleQuestions(desk.case.questionnaire.questions, answers);
  const refusal = desk.submitRefusal;
  return (
    <Modal title="Check and submit" onClose={onClose} isFirm={isSent}>
      <dl class="summary">
        {questions.map((question) => (
          <div key={question.id}>
            <dt>{question.text}</dt>
            <dd>
              {answerText(question, answers[question.id])}
              {problems.answers[question.id] === undefined ? null : (
                <span class="problem"> ⚠ {problemText(problems.answers[question.id] as string)}</span>
              )}
            </dd>
          </div>
        ))}
        {desk.case.task === "outline"
          ? SLOTS.map((slot) => (
              <div key={slot}>
                <dt>Outline on {slot}</dt>
                <dd>
                  {outlines.present[slot] === null ? "not drawn" : "drawn"}
                  {problems.outlines[slot].map((code) => (
                    <span class="problem" key={code}>
                      {" "}
                      ⚠ {faultText(code)}
                    </span>
                  ))}
                </dd>
              </div>
            ))
          : null}
      </dl>
      {refusal === null ? <p>After submitting, the next case opens.</p> : <p class="alert">{refusal}</p>}
      <div class="actions">
        <button
          type="button"
          class="button primary"
          autofocus
          disabled={refusal !== null}
          onClick={() => {
            setSent(true);
            void desk.submit().finally(() => {
              if (desk.state.dialog === "summary") onClose();
            });
          }}
        >
          {isSent ? "Submitting …" : "Submit"} <kbd>Enter</kbd>
        </button>
        <button type="button" class="button" disabled={isSent} onClick={onClose}>
          Return <kbd>Esc</kbd>
        </button>
      </div>
    </Modal>
  );
}

interface ConflictItem {
  id: string;
  label: string;
  mine: string;
  server: string;
}

const outlineText = (document: DraftDocument, slot: Slot): string => {
  const outline = document.outlines[slot];
  return outline === null ? "not drawn" : `${outline.vertices.length} points, ${outline.kind}`;
};

function conflictItems(desk: Desk, mine: DraftDocument, server: DraftDocument): ConflictItem[] {
  const questions = desk.case.questionnaire.questions
    .map((question) => ({
      id: question.id,
      label: question.text,
      mine: answerText(question, mine.answers[question.id]),
      server: answerText(question, server.answers[question.id]),
    }))
    .filter((item) => item.mine !== item.server);
  const slots = SLOTS.filter((slot) => !isSame(mine.outlines[slot], server.outlines[slot])).map((slot) => ({
    id: `outline-${slot}`,
    label: `Outline on ${slot}`,
    mine: outlineText(mine, slot),
    server: outlineText(server, slot),
  }));
  return [...questions, ...slots];
}

function Conflict({ desk }: { desk: Desk }) {
  const { save } = useStore(desk.store);
  const [choices, setChoices] = useState<Record<string, Side>>({});
  if (save.kind !== "conflict") return null;
  const mine = desk.draft();
  const items = conflictItems(desk, mine, save.document);
  const decide = (picked: Record<string, Side>): void =>
    desk.resolveConflict(mergeDrafts(mine, save.document, picked), save.version);
  const pick = (id: string, side: Side) => (
    <input
      type="radio"
      name={`conflict-${id}`}
      aria-label={side === "mine" ? "This desk" : "The server"}
      checked={(choices[id] ?? "server") === side}
      onChange={() => setChoices({ ...choices, [id]: side })}
    />
  );
  return (
    <Modal title="This case was saved elsewhere meanwhile" onClose={() => undefined} isFirm>
      <p>Choose what to keep. Nothing is overwritten before you decide.</p>
      <table class="conflict">
        <thead>
          <tr>
            <th scope="col">Item</th>
            <th scope="col">This desk</th>
            <th scope="col">The server</th>
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.id}>
              <th scope="row">{item.label}</th>
              <td>
                {pick(item.id, "mine")} {item.mine}
              </td>
              <td>
                {pick(item.id, "server")} {item.server}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="actions">
        <button type="button" class="button primary" onClick={() => decide(choices)}>
          Keep the chosen items
        </button>
        <button type="button" class="button" onClick={() => decide({})}>
          Keep the server's version
        </button>
      </div>
    </Modal>
  );
}

function Replace({ desk, onClose }: { desk: Desk; onClose: () => void }) {
  return (
    <Modal title="Replace the outline?" onClose={onClose}>
      <p>The other modality has an outline already. The copy takes its place; undo brings it back.</p>
      <div class="actions">
        <button
          type="button"
          class="button primary"
          onClick={() => {
            onClose();
            // a pane takes the focus only once the dialog has given it back
            setTimeout(() => void desk.outlining.copy(true));
          }}
        >
          Replace
        </button>
        <button type="button" class="button" onClick={onClose}>
          Keep it
        </button>
      </div>
    </Modal>
  );
}

export function Dialogs({ desk }: { desk: Desk }) {
  const { dialog } = useStore(desk.store);
  const close = (): void => desk.store.set({ dialog: null });
  if (dialog === "help") return <Keys desk={desk} onClose={close} />;
  if (dialog === "summary") return <Summary desk={desk} onClose={close} />;
  if (dialog === "replace") return <Replace desk={desk} onClose={close} />;
  return dialog === "conflict" ? <Conflict desk={desk} /> : null;
}
