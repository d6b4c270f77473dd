import { useEffect, useRef, useState } from "preact/hooks";
import { type Dropped, fromDrop, fromInput } from "./chosen.ts";
import { readableBytes, readableWait } from "./rate.ts";
import { type Ports, type Progress, Upload } from "./upload.ts";

interface PanelProps {
  ports: Ports;
  reports: string;
}
interface Status {
  progress: Progress | null;
  failure: string;
  isBusy: boolean;
}
type Start = (choice: Promise<Dropped>) => void;

const IDLE: Status = { progress: null, failure: "", isBusy: false };

async function uploaded(ports: Ports, choice: Promise<Dropped>, say: (to: Progress) => void): Promise<void> {
  const { files, isFolder } = await choice.catch(() => {
    throw new Error("What you dropped cannot be read by this browser.");
  });
  if (files.length === 0) throw new Error("There is no file in what you chose.");
  await new Upload(ports, say).run(files, isFolder);
}

/** Closing the page would leave the rest unsent, so the browser asks first. */
function useGuard(isBusy: boolean): void {
  useEffect(() => {
    if (!isBusy) return;
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [isBusy]);
}

function usePorts(ports: Ports): [Status, Start] {
  const [status, setStatus] = useState(IDLE);
  const isRunning = useRef(false);
  useGuard(status.isBusy);
  /** One after the other: a large folder takes its time until the first file is known. */
  const start: Start = (choice) => {
    if (isRunning.current) return;
    isRunning.current = true;
    setStatus({ ...IDLE, isBusy: true });
    uploaded(ports, choice, (progress) => setStatus((old) => ({ ...old, progress })))
      .catch((error: unknown) => {
        const failure = error instanceof Error ? error.message : String(error);
        setStatus((old) => ({ ...old, failure }));
      })
      .finally(() => {
        isRunning.current = false;
        setStatus((old) => ({ ...old, isBusy: false }));
      });
  };
  return [status, start];
}

function Chooser({ start }: { start: Start }) {
  const folder = useRef<HTMLInputElement>(null);
  const [isOver, setOver] = useState(false);
  useEffect(() => folder.current?.setAttribute("webkitdirectory", ""), []);
  const choose = (files: FileList | null, isFolder: boolean): void =>
    start(Promise.resolve({ files: fromInput(files), isFolder }));
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    const { dataTransfer } = event;
    if (dataTransfer === null) return;
    start(fromDrop(dataTransfer));
  };
  const over = (event: DragEvent): void => {
    event.preventDefault();
    setOver(true);
  };
  return (
    <section
      class={`card drop${isOver ? " drop-over" : ""}`}
      aria-label="Choose images"
      onDragOver={over}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <p>Drop DICOM files, folders or a zip here, or choose them:</p>
      <div class="choices">
        <label>
          Files or a zip
          <input type="file" multiple onChange={(e) => choose(e.currentTarget.files, false)} />
        </label>
        <label>
          A whole folder
          <input ref={folder} type="file" multiple onChange={(e) => choose(e.currentTarget.files, true)} />
        </label>
      </div>
    </section>
  );
}

const STAGES = {
  looking: "Looking which files are new …",
  sending: "Sending and reading …",
  done: "All files are answered for.",
};

function paceOf({ bytesPerSecond, secondsLeft, stage }: Progress): string {
  if (stage !== "sending" || bytesPerSecond === null) return "";
  const left = secondsLeft === null ? "" : `, ${readableWait(secondsLeft)} left`;
  return ` · ${readableBytes(bytesPerSecond)}/s${left}`;
}

function Counts({ progress }: { progress: Progress }) {
  const { files, filesDone, bytes, bytesDone } = progress;
  return (
    <>
      <progress max={Math.max(1, bytes)} value={bytesDone} aria-label="Bytes answered for" />
      <p class="help">
        {filesDone} of {files} files · {readableBytes(bytesDone)} of {readableBytes(bytes)}
        {paceOf(progress)}
      </p>
      <p>
        {Object.entries(progress.seen?.outcomes ?? {}).map(([name, n]) => (
          <span key={name} class={`badge badge-${name.replaceAll(" ", "-")}`}>
            {n} {name}
          </span>
        ))}
      </p>
    </>
  );
}

function Problems({ progress }: { progress: Progress }) {
  const problems = progress.seen?.problems ?? [];
  if (problems.length === 0) return null;
  return (
    <details open={progress.stage === "done"}>
      <summary>What was refused or held, newest first</summary>
      <ul>
        {problems.map(({ name, outcome, sentence }) => (
          <li key={`${name} ${sentence}`}>
            <strong>{name}</strong> {outcome}: {sentence}
          </li>
        ))}
      </ul>
    </details>
  );
}

export function Panel({ ports, reports }: PanelProps) {
  const [{ progress, failure, isBusy }, start] = usePorts(ports);
  const code = progress?.seen?.code;
  return (
    <>
      {isBusy ? null : <Chooser start={start} />}
      {failure === "" ? null : (
        <p class="notice notice-error" role="alert">
          {failure}
        </p>
      )}
      {isBusy && progress === null ? <p role="status">Looking what there is …</p> : null}
      {progress === null ? null : (
        <section class="card" aria-label="Import under way" aria-busy={isBusy}>
          <p role="status">{failure === "" ? STAGES[progress.stage] : "Stopped."}</p>
          <Counts progress={progress} />
          <Problems progress={progress} />
          {code === undefined || isBusy ? null : (
            <p>
              <a class="button primary" href={`${reports}${code}/`}>
                Open the report
              </a>
            </p>
          )}
        </section>
      )}
    </>
  );
}
