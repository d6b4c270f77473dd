/** A check answers the first fault it finds as `path: reason`, or null. */
export type Check = (value: unknown, path: string) => string | null;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const expect = (ok: boolean, path: string, what: string): string | null =>
  ok ? null : `${path}: ${what} expected`;

export const text: Check = (value, path) => expect(typeof value === "string", path, "text");
export const flag: Check = (value, path) => expect(typeof value === "boolean", path, "true or false");
export const number: Check = (value, path) =>
  expect(typeof value === "number" && Number.isFinite(value), path, "a finite number");
export const whole: Check = (value, path) => expect(Number.isInteger(value), path, "a whole number");
export const anything: Check = () => null;

export const oneOf =
  (...values: (string | number)[]): Check =>
  (value, path) =>
    expect(values.includes(value as string | number), path, `one of ${values.join(", ")}`);

export const orNull =
  (check: Check): Check =>
  (value, path) =>
    value === null ? null : check(value, path);

export const either =
  (...checks: Check[]): Check =>
  (value, path) => {
    const faults = checks.map((check) => check(value, path));
    return faults.includes(null) ? null : (faults[0] ?? null);
  };

export const list =
  (check: Check, length?: number): Check =>
  (value, path) => {
    if (!Array.isArray(value)) return `${path}: a list expected`;
    if (length !== undefined && value.length !== length) return `${path}: ${length} items expected`;
    for (const [k, item] of value.entries()) {
      const fault = check(item, `${path}[${k}]`);
      if (fault !== null) return fault;
    }
    return null;
  };

/** An object with any keys, all of one kind. */
export const mapOf =
  (check: Check): Check =>
  (value, path) => {
    if (!isRecord(value)) return `${path}: an object expected`;
    for (const [key, item] of Object.entries(value)) {
      const fault = check(item, `${path}.${key}`);
      if (fault !== null) return fault;
    }
    return null;
  };

/** An object with exactly these fields: an unknown or a missing one is a fault. `optional` ones may be absent. */
export const object =
  (fields: Record<string, Check>, optional: Record<string, Check> = {}): Check =>
  (value, path) => {
    if (!isRecord(value)) return `${path}: an object expected`;
    const checks = { ...fields, ...optional };
    const unknown = Object.keys(value).find((key) => !Object.hasOwn(checks, key));
    if (unknown !== undefined) return `${path}.${unknown}: unknown field`;
    const missing = Object.keys(fields).find((key) => !Object.hasOwn(value, key));
    if (missing !== undefined) return `${path}.${missing}: missing`;
    return firstFault(value, checks, path);
  };

function firstFault(
  value: Record<string, unknown>,
  checks: Record<string, Check>,
  path: string,
): string | null {
  for (const [key, item] of Object.entries(value)) {
    const fault = checks[key]?.(item, `${path}.${key}`) ?? null;
    if (fault !== null) return fault;
  }
  return null;
}
