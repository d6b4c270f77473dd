import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** A modal dialog: the browser traps the focus and gives it back; Escape closes. The key that opened it, held down, presses nothing in it. */
export function Modal({
  title,
  onClose,
  isFirm = false,
  children,
}: {
  title: string;
  onClose: () => void;
  /** It must be answered: Escape leaves it open. A browser lets `cancel` be refused once, the key each time. */
  isFirm?: boolean;
  children: ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault();
        if (!isFirm) onClose();
      }}
      onKeyDown={(event) => {
        const isHeld = event.repeat && event.key === "Enter";
        if (isHeld || (isFirm && event.key === "Escape")) event.preventDefault();
      }}
    >
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  );
}
