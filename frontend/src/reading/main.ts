import "./desk.css";
import "./panes.css";
import "./form.css";
import "./media.css";
import { startReadingRoom } from "./start.tsx";

void startReadingRoom(document.getElementById("desk"), document.getElementById("case-document"));
