"""What the database refuses about reference standards."""

from portal.fence.triggers import Trigger, no_delete

TABLE = "truth_reference_standard"
COLUMNS = (
    "id", "lesion_id", "revision", "diagnosis", "subtype", "method", "determined_on", "note",
    "reason", "entered_by_id", "entered_at",
)  # fmt: skip
DIFFERS = " OR ".join(f"NEW.{c} IS DISTINCT FROM OLD.{c}" for c in COLUMNS)
READS_ARE_LOCKED = (
    "EXISTS (SELECT 1 FROM study_lesion l JOIN study_patient p ON p.id = l.patient_id "
    "JOIN study_study s ON s.id = p.study_id WHERE l.id = NEW.lesion_id "
    "AND s.state IN ('READS_LOCKED', 'UNBLINDED', 'ARCHIVED'))"
)
TRIGGERS = (
    Trigger(
        f"{TABLE}_only_superseded",
        TABLE,
        "UPDATE",
        f"NOT (OLD.is_current AND NOT NEW.is_current) OR {DIFFERS}",
        "A reference standard never changes; enter a new revision with a reason.",
    ),
    no_delete(TABLE, "A reference standard"),
    *(
        Trigger(
            f"{TABLE}_frozen_{event.lower()}",
            TABLE,
            event,
            READS_ARE_LOCKED,
            "Reference standards cannot change once the reads are locked.",
        )
        for event in ("INSERT", "UPDATE")
    ),
)
