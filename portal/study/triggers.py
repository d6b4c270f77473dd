"""What the database refuses about studies, lesions, criteria, the screening log and splits."""

from portal.fence.triggers import Trigger, no_delete

LATE = "('READS_LOCKED', 'UNBLINDED', 'ARCHIVED')"
BEGUN = "('READING', 'READS_LOCKED', 'UNBLINDED', 'ARCHIVED')"
STEPS = (
    ("DRAFT", "SCREENING"),
    ("SCREENING", "READING"),
    ("READING", "READS_LOCKED"),
    ("READS_LOCKED", "UNBLINDED"),
    ("UNBLINDED", "ARCHIVED"),
)
ONE_STEP = " OR ".join(f"(OLD.state = '{a}' AND NEW.state = '{b}')" for a, b in STEPS)


def study_is(states: str, study_id: str) -> str:
    return f"EXISTS (SELECT 1 FROM study_study s WHERE s.id = {study_id} AND s.state IN {states})"  # noqa: S608


def patient_study_is(states: str, patient_id: str) -> str:
    return (
        "EXISTS (SELECT 1 FROM study_patient p JOIN study_study s ON s.id = p.study_id "  # noqa: S608
        f"WHERE p.id = {patient_id} AND s.state IN {states})"  # noqa: S608
    )


def split_is_locked(split_id: str) -> str:
    return (
        f"EXISTS (SELECT 1 FROM study_split v WHERE v.id = {split_id} AND v.locked_at IS NOT NULL)"  # noqa: S608
    )


def changed(*columns: str) -> str:
    return "(" + " OR ".join(f"NEW.{c} IS DISTINCT FROM OLD.{c}" for c in columns) + ")"


def is_new_row(event: str) -> str:
    return "OLD" if event == "DELETE" else "NEW"


def frozen_late(table: str, noun: str) -> tuple[Trigger, ...]:
    """No insert, update or delete on a table with a study, once its reads are locked."""
    return tuple(
        Trigger(
            f"{table}_frozen_{event.lower()}",
            table,
            event,
            study_is(LATE, f"{is_new_row(event)}.study_id"),
            f"{noun} cannot change once the reads are locked.",
        )
        for event in ("INSERT", "UPDATE", "DELETE")
    )


STUDY = (
    Trigger(
        "study_study_forward_one_step",
        "study_study",
        "UPDATE",
        f"NEW.state <> OLD.state AND NOT ({ONE_STEP})",
        "A study goes forward only, one step at a time.",
    ),
    Trigger(
        "study_study_keeps_its_name",
        "study_study",
        "UPDATE",
        changed("code", "is_synthetic", "created_at"),
        "The code of a study and whether it is synthetic never change.",
    ),
    Trigger(
        "study_study_plan_is_fixed",
        "study_study",
        "UPDATE",
        f"OLD.state IN {BEGUN} AND {changed('protocol', 'analysis_plan', 'lesion_cap')}",
        "Protocol, analysis plan and cap are fixed once reading has begun.",
    ),
    Trigger(
        "study_study_cap_covers_slots",
        "study_study",
        "UPDATE",
        "NEW.lesion_cap < OLD.lesion_cap AND EXISTS (SELECT 1 FROM study_lesion l JOIN study_patient p "
        "ON p.id = l.patient_id WHERE p.study_id = NEW.id AND l.slot > NEW.lesion_cap)",
        "Some patients have more included lesions than this cap; exclude lesions first.",
    ),
    no_delete("study_study", "A study"),
)
OVER_CAP = (
    "NEW.slot IS NOT NULL AND NEW.slot > (SELECT s.lesion_cap FROM study_patient p "
    "JOIN study_study s ON s.id = p.study_id WHERE p.id = NEW.patient_id)"
)
LESION = (
    *(
        Trigger(
            f"study_lesion_slot_within_cap_{event.lower()}",
            "study_lesion",
            event,
            OVER_CAP,
            "The slot is above the study's cap of lesions per patient.",
        )
        for event in ("INSERT", "UPDATE")
    ),
    Trigger(
        "study_lesion_stays_with_its_patient",
        "study_lesion",
        "UPDATE",
        "NEW.patient_id <> OLD.patient_id AND EXISTS (SELECT 1 FROM truth_split_part t "
        "JOIN study_split v ON v.id = t.split_id WHERE v.locked_at IS NOT NULL "
        "AND t.patient_id IN (OLD.patient_id, NEW.patient_id))",
        "A lesion cannot move to another patient once its patient is in a locked split.",
    ),
    Trigger(
        "study_lesion_cohort_is_fixed",
        "study_lesion",
        "UPDATE",
        f"{changed('is_included', 'slot', 'patient_id', 'number')} AND "
        f"{patient_study_is(BEGUN, 'OLD.patient_id')}",
        "The cohort is fixed once reading has begun.",
    ),
    Trigger(
        "study_lesion_cohort_never_shrinks",
        "study_lesion",
        "DELETE",
        patient_study_is(BEGUN, "OLD.patient_id"),
        "The cohort is fixed once reading has begun.",
    ),
    Trigger(
        "study_patient_stays_in_its_study",
        "study_patient",
        "UPDATE",
        changed("study_id", "code"),
        "A patient never moves to another study.",
    ),
)
SCREENING = (
    Trigger(
        "study_screening_only_superseded",
        "study_screening",
        "UPDATE",
        "NOT (OLD.is_current AND NOT NEW.is_current) OR "
        + changed(
            "id", "study_id", "patient_id", "lesion_id", "criterion_id", "decision", "note",
            "decided_by_id", "decided_at",
        ),
        "A screening decision never changes; decide again and the new row supersedes it.",
    ),
    no_delete("study_screening", "The screening log"),
    *frozen_late("study_screening", "The screening log")[:2],
)  # fmt: skip
SPLIT = (
    Trigger(
        "study_split_locked_never_changes",
        "study_split",
        "UPDATE",
        "OLD.locked_at IS NOT NULL",
        "A locked split never changes; make a new version.",
    ),
    no_delete("study_split", "A split"),
    *frozen_late("study_split", "The split")[:2],
    *(
        Trigger(
            f"truth_split_part_locked_{event.lower()}",
            "truth_split_part",
            event,
            condition,
            "The parts of a locked split never change; make a new version.",
        )
        for event, condition in (
            ("INSERT", split_is_locked("NEW.split_id")),
            (
                "UPDATE",
                f"{split_is_locked('OLD.split_id')} OR {split_is_locked('NEW.split_id')}",
            ),
            ("DELETE", split_is_locked("OLD.split_id")),
        )
    ),
    Trigger(
        "truth_split_part_of_the_same_study",
        "truth_split_part",
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM study_patient p JOIN study_split v ON v.study_id = p.study_id "
        "WHERE p.id = NEW.patient_id AND v.id = NEW.split_id)",
        "A split holds patients of its own study only.",
    ),
)
TRIGGERS = (*STUDY, *LESION, *frozen_late("study_criterion", "A criterion"), *SCREENING, *SPLIT)
