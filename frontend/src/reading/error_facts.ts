/** What the server is told of an unforeseen error: its kind and its place in our own script, never its text. */
export function errorFacts(
  event: Pick<ErrorEvent, "error" | "filename" | "lineno"> | { reason: unknown },
): Record<string, string | number> {
  const thrown: unknown = "reason" in event ? event.reason : event.error;
  const kind = thrown instanceof Error ? thrown.name : typeof thrown;
  if ("reason" in event) return { kind };
  const script = event.filename.split("/").at(-1)?.split("?")[0] ?? "";
  return { kind: kind.slice(0, 40), script: script.slice(0, 60), line: event.lineno };
}
