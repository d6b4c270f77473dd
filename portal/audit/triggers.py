"""The trail and signatures are append-only; only a redaction may empty a payload."""

from portal.fence.triggers import Trigger, append_only, no_delete

EXISTS = "EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"


def no_replace(table: str, noun: str, *, key: str) -> Trigger:
    """SQLite's INSERT OR REPLACE fires no trigger on deletion unless a pragma of the connection says so."""
    exists = EXISTS.format(table=table, key=key)
    return Trigger(f"{table}_no_replace", table, "INSERT", exists, f"{noun} never changes.")


TRIGGERS = (
    *append_only("audit_auditevent", "The audit trail"),
    no_replace("audit_auditevent", "The audit trail", key="id"),
    no_replace("audit_auditpayload", "The audit trail", key="event_id"),
    no_delete("audit_auditpayload", "The audit trail"),
    Trigger(
        "audit_auditpayload_only_redaction",
        "audit_auditpayload",
        "UPDATE",
        "NEW.body <> '' OR NEW.event_id IS DISTINCT FROM OLD.event_id",
        "The audit trail never changes; a payload can only be redacted.",
    ),
    *append_only("audit_signature", "A signature"),
    no_replace("audit_signature", "A signature", key="id"),
)
