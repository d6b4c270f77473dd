import "./uploading.css";
import { render } from "preact";
import { Panel } from "./panel.tsx";
import { browserPorts } from "./ports.ts";

/** Where scripts run, the plain forms give way to a panel that shows what becomes of each file. */
for (const host of document.querySelectorAll<HTMLElement>("[data-upload]")) {
  const root = host.dataset.upload;
  const reports = host.dataset.reports;
  const csrf = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value;
  if (root === undefined || reports === undefined || csrf === undefined) continue;
  host.replaceChildren();
  render(<Panel ports={browserPorts(root, csrf)} reports={reports} />, host);
  host.dataset.ready = "true";
}
