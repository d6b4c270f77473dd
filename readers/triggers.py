"""What the database refuses in the reading room, whoever asks: the ORM, bulk calls or raw SQL."""

# ruff: noqa: S608 -- every name in these conditions is a constant of this file
from portal.fence.triggers import Trigger, append_only, no_delete

READS, ROIS = "readers_read", "readers_roi"
CASES, SESSIONS = "readers_assignment", "readers_readingsession"
OVER = "('READS_LOCKED', 'UNBLINDED', 'ARCHIVED')"
AFTER_LOCK = "The reads of this study are locked; none changes any more."


def differs(*columns: str) -> str:
    return " OR ".join(f"NEW.{c} IS DISTINCT FROM OLD.{c}" for c in columns)


def no_replace(table: str, noun: str) -> Trigger:
    """INSERT OR REPLACE would walk past the delete trigger."""
    return Trigger(
        f"{table}_no_replace",
        table,
        "INSERT",
        f"EXISTS (SELECT 1 FROM {table} x WHERE x.id = NEW.id)",
        f"{noun} is never replaced.",
    )


def study_is_over(case: str) -> str:
    return (
        f"EXISTS (SELECT 1 FROM {CASES} a JOIN {SESSIONS} s ON s.id = a.session_id "
        f"JOIN study_study t ON t.id = s.study_id WHERE a.id = {case} AND t.state IN {OVER})"
    )


def session_state(session: str, condition: str) -> str:
    return f"EXISTS (SELECT 1 FROM {SESSIONS} s WHERE s.id = {session} AND {condition})"


READ_CONTENT = differs(
    "assignment_id",
    "revision",
    "version",
    "document",
    '"call"',
    "confidence",
    "score",
    "cannot_judge",
    "is_fallback_view",
    "reason_code",
    "reason",
    "started_at",
    "saved_at",
    "submitted_at",
    "wall_seconds",
    "active_seconds",
    "has_event_gap",
    "digest",
    "is_simulated",
)
WASHOUT = (
    "NEW.state = 'open' AND OLD.state = 'planned' AND ("
    "(NEW.not_before IS NOT NULL AND NEW.opened_at < NEW.not_before) OR NEW.opened_day IS NULL OR "
    f"EXISTS (SELECT 1 FROM {CASES} mine JOIN {CASES} other ON other.lesion_id = mine.lesion_id "
    f"AND other.session_id <> mine.session_id JOIN {SESSIONS} s ON s.id = other.session_id "
    "JOIN readers_readingdesign d ON d.id = NEW.design_id "
    "WHERE mine.session_id = NEW.id AND s.reader_id = NEW.reader_id AND s.state <> 'planned' "
    "AND (s.closed_day IS NULL OR NEW.opened_day < s.closed_day + d.washout_days)))"
)
UNAIDED_LOCKED = (
    f"EXISTS (SELECT 1 FROM {CASES} a JOIN {SESSIONS} s ON s.id = a.session_id "
    f"JOIN {CASES} b ON b.lesion_id = a.lesion_id JOIN {SESSIONS} u ON u.id = b.session_id "
    f"JOIN {READS} r ON r.assignment_id = b.id "
    "WHERE a.id = NEW.assignment_id AND s.condition = 'aided' AND u.reader_id = s.reader_id "
    "AND u.condition = 'unaided' AND r.is_current = TRUE AND r.state = 'locked')"
)

TRIGGERS = (
    no_delete(READS, "A read"),
    no_replace(READS, "A read"),
    Trigger(
        "readers_read_frozen",
        READS,
        "UPDATE",
        f"OLD.state <> 'draft' AND ({READ_CONTENT})",
        "A submitted read never changes; reopen it to write a new revision.",
    ),
    Trigger(
        "readers_read_state_forward",
        READS,
        "UPDATE",
        "NEW.state IS DISTINCT FROM OLD.state AND NOT ("
        "(OLD.state = 'draft' AND NEW.state = 'submitted') OR "
        "(OLD.state = 'submitted' AND NEW.state = 'locked'))",
        "A read goes from draft to submitted to locked, never back.",
    ),
    Trigger(
        "readers_read_lock_time",
        READS,
        "UPDATE",
        "NEW.locked_at IS DISTINCT FROM OLD.locked_at AND NOT "
        "(OLD.state = 'submitted' AND NEW.state = 'locked')",
        "A read is locked once, when its session is closed.",
    ),
    Trigger(
        "readers_read_stays_superseded",
        READS,
        "UPDATE",
        "OLD.is_current = FALSE AND NEW.is_current = TRUE",
        "An earlier revision never becomes current again.",
    ),
    Trigger(
        "readers_read_after_lock", READS, "UPDATE", study_is_over("OLD.assignment_id"), AFTER_LOCK
    ),
    Trigger(
        "readers_read_new_after_lock",
        READS,
        "INSERT",
        study_is_over("NEW.assignment_id"),
        AFTER_LOCK,
    ),
    Trigger(
        "readers_read_born_draft",
        READS,
        "INSERT",
        "NEW.state <> 'draft'",
        "A read begins as a draft.",
    ),
    *append_only(ROIS, "A ROI"),
    no_replace(ROIS, "A ROI"),
    Trigger(
        "readers_roi_with_draft",
        ROIS,
        "INSERT",
        f"NOT EXISTS (SELECT 1 FROM {READS} r WHERE r.id = NEW.read_id AND r.state = 'draft')",
        "A ROI is stored with the submission of its read, never later.",
    ),
    *append_only("readers_readevent", "A reading event"),
    no_replace("readers_readevent", "A reading event"),
    *append_only("readers_draftsave", "A saved draft"),
    no_replace("readers_draftsave", "A saved draft"),
    *append_only("readers_aid", "A released prediction"),
    no_replace("readers_aid", "A released prediction"),
    Trigger(
        "readers_aid_after_unaided",
        "readers_aid",
        "INSERT",
        f"NOT {UNAIDED_LOCKED}",
        "A prediction is shown in an aided session only after the unaided read is locked.",
    ),
    no_delete(CASES, "A case"),
    no_replace(CASES, "A case"),
    Trigger(
        "readers_assignment_fixed",
        CASES,
        "UPDATE",
        f"({differs('session_id', 'lesion_id', 'code', 'position', 'occasion')}) AND "
        + session_state("OLD.session_id", "s.state <> 'planned'"),
        "The cases of a session and their order never change after its start.",
    ),
    Trigger(
        "readers_assignment_no_late_case",
        CASES,
        "INSERT",
        session_state("NEW.session_id", "s.state <> 'planned'"),
        "No case is added to a session after its start.",
    ),
    Trigger(
        "readers_assignment_state",
        CASES,
        "UPDATE",
        "NEW.state IS DISTINCT FROM OLD.state AND NOT ("
        "(OLD.state = 'assigned' AND NEW.state IN ('draft', 'missing', 'submitted')) OR "
        "(OLD.state = 'draft' AND NEW.state IN ('submitted', 'missing')) OR "
        "(OLD.state = 'submitted' AND NEW.state IN ('draft', 'locked')) OR "
        "(OLD.state = 'locked' AND NEW.state = 'draft'))",
        "A case goes from assigned to draft, submitted and locked, or is declared missing.",
    ),
    Trigger("readers_assignment_after_lock", CASES, "UPDATE", study_is_over("OLD.id"), AFTER_LOCK),
    no_delete(SESSIONS, "A session"),
    no_replace(SESSIONS, "A session"),
    Trigger(
        "readers_session_fixed",
        SESSIONS,
        "UPDATE",
        "OLD.state <> 'planned' AND ("
        + differs(
            "study_id",
            "design_id",
            "questionnaire_id",
            "reader_id",
            "code",
            "number",
            "task",
            "kind",
            "condition",
            "told",
            "order_digest",
            "not_before",
            "opened_at",
            "opened_day",
        )
        + ")",
        "A session never changes after its start.",
    ),
    Trigger(
        "readers_session_state",
        SESSIONS,
        "UPDATE",
        "NEW.state IS DISTINCT FROM OLD.state AND NOT ("
        "(OLD.state = 'planned' AND NEW.state = 'open') OR "
        "(OLD.state = 'open' AND NEW.state = 'closed') OR "
        "(OLD.state = 'closed' AND NEW.state = 'open'))",
        "A session is planned, opened and closed, in this order.",
    ),
    Trigger(
        "readers_session_washout",
        SESSIONS,
        "UPDATE",
        WASHOUT,
        "This session shares a lesion with an earlier one whose washout is not over.",
    ),
    Trigger(
        "readers_session_after_lock",
        SESSIONS,
        "UPDATE",
        f"EXISTS (SELECT 1 FROM study_study t WHERE t.id = OLD.study_id AND t.state IN {OVER})",
        AFTER_LOCK,
    ),
    no_delete("readers_questionnaire", "A questionnaire"),
    no_replace("readers_questionnaire", "A questionnaire"),
    Trigger(
        "readers_questionnaire_fixed",
        "readers_questionnaire",
        "UPDATE",
        "OLD.locked_at IS NOT NULL",
        "A questionnaire never changes once it is used; make a new version.",
    ),
    no_delete("readers_readingdesign", "A design"),
    no_replace("readers_readingdesign", "A design"),
    Trigger(
        "readers_design_fixed",
        "readers_readingdesign",
        "UPDATE",
        "OLD.locked_at IS NOT NULL",
        "A locked design never changes; make a new version.",
    ),
)
