/** Django's name for it; signing in, also in another tab, gives it another value. */
const COOKIE = /(?:^|;\s*)csrftoken=([^;]+)/;

/** The token that holds now; the one that came with the page only where the browser keeps no cookie. */
export const tokenNow = (given: string, cookies: string = document.cookie): string =>
  COOKIE.exec(cookies)?.[1] ?? given;

/** `fetch` with the token that holds now in place of the one that a caller was given with its page. */
export function sendSigned(url: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  const given = headers.get("X-CSRFToken");
  if (given !== null) headers.set("X-CSRFToken", tokenNow(given));
  return fetch(url, { ...init, headers });
}
