interface Mark {
  at: number;
  bytes: number;
}

const WINDOW_MS = 10_000;

/** Bytes per second over the last ten seconds, and the seconds that are left at that pace. */
export class Rate {
  readonly #marks: Mark[] = [];

  add(at: number, bytes: number): void {
    this.#marks.push({ at, bytes });
    while (this.#marks.length > 2 && at - (this.#marks[0] as Mark).at > WINDOW_MS) this.#marks.shift();
  }

  get bytesPerSecond(): number | null {
    const first = this.#marks[0];
    const last = this.#marks.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return null;
    return ((last.bytes - first.bytes) / (last.at - first.at)) * 1000;
  }

  secondsLeft(bytes: number): number | null {
    const pace = this.bytesPerSecond;
    return pace === null || pace <= 0 ? null : bytes / pace;
  }
}

const UNITS = ["bytes", "KB", "MB", "GB", "TB"];

/** `1.4 MB`; decimal units, as file managers show them. */
export function readableBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `40 s`, `3 min`, `2 h 5 min`: rounded up, so that the wait is never longer than said at that pace. */
export function readableWait(seconds: number): string {
  if (seconds < 59.5) return `${Math.max(1, Math.ceil(seconds))} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
