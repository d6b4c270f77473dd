import { tokenNow } from "../ui/csrf.ts";
import type { Answer } from "./sending.ts";
import type { Ports } from "./upload.ts";

const headersFor = (csrf: string): Record<string, string> => ({
  Accept: "application/json",
  "X-CSRFToken": tokenNow(csrf),
});

const parsed = (raw: string): unknown => {
  try {
    return JSON.parse(raw);
  } catch {
    return null;
  }
};

const seconds = (header: string | null): number | null => {
  const value = Number(header ?? "");
  return header === null || !Number.isFinite(value) ? null : value;
};

async function post(url: string, csrf: string, body: unknown): Promise<Answer> {
  const headers = { ...headersFor(csrf), "Content-Type": "application/json" };
  const init: RequestInit = { method: "POST", headers, credentials: "same-origin" };
  const response = await fetch(url, { ...init, body: JSON.stringify(body ?? {}) }).catch(() => null);
  const text = (await response?.text().catch(() => null)) ?? null;
  // also an answer that was cut off is none
  if (response === null || text === null) return { status: 0, body: null, retryAfterS: null };
  const retryAfterS = seconds(response.headers.get("Retry-After"));
  return { status: response.status, body: parsed(text), retryAfterS };
}

/** `fetch` does not tell how much of a body has left, so batches go by XMLHttpRequest. */
function put(url: string, csrf: string, form: FormData, onBytes: (sent: number) => void): Promise<Answer> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headersFor(csrf))) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onBytes(event.loaded);
    request.onloadend = () =>
      resolve({
        status: request.status,
        body: parsed(request.responseText),
        retryAfterS: request.status === 0 ? null : seconds(request.getResponseHeader("Retry-After")),
      });
    request.send(form);
  });
}

async function sha256(file: Blob): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The real world: this server, this clock; digests only where the browser offers them (not over plain HTTP). */
export const browserPorts = (root: string, csrf: string): Ports => ({
  post: (path, body) => post(root + path, csrf, body),
  put: (path, form, onBytes) => put(root + path, csrf, form, onBytes),
  wait: (s) => new Promise((resolve) => setTimeout(resolve, s * 1000)),
  now: () => performance.now(),
  sha256: globalThis.crypto?.subtle === undefined ? null : sha256,
});
