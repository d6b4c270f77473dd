import "./desk.css";
import { startReadingRoom } from "./start.tsx";

void startReadingRoom(document.getElementById("desk"), document.getElementById("case-document"));
