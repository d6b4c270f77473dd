import { maySignOut } from "./leaving.ts";
import { openLocalDrafts } from "./local_drafts.ts";

const form = document.querySelector<HTMLFormElement>('form[action="/sign-out/"]');
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const drafts = openLocalDrafts(window.indexedDB);
  // submit() raises no further submit event
  void maySignOut(drafts, (question) => window.confirm(question)).then((may) => may && form.submit());
});
