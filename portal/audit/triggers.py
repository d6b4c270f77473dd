"""The trail and signatures are append-only; only a redaction may empty a payload."""

from portal.fence.triggers import Trigger, append_only, no_delete

EXISTS = "EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"
TRIGGERS = (
    *append_only("audit_auditevent", "The audit trail"),
    Trigger(
        "audit_auditevent_no_replace",
        "audit_auditevent",
        "INSERT",
        EXISTS.format(table="audit_auditevent", key="id"),
        "The audit trail never changes.",
    ),
    no_delete("audit_auditpayload", "The audit trail"),
    Trigger(
        "audit_auditpayload_only_redaction",
        "audit_auditpayload",
        "UPDATE",
        "NEW.body <> '' OR NEW.event_id IS DISTINCT FROM OLD.event_id",
        "The audit trail never changes; a payload can only be redacted.",
    ),
    *append_only("audit_signature", "A signature"),
)
