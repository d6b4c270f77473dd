"""What the database refuses on this floor: fit rows outside train, changed runs, vectors and looks."""

from portal.fence.triggers import Trigger, append_only, no_delete

PART_OF_FIT_ROW = (
    "(SELECT p.part FROM truth_split_part p"
    " JOIN truth_model_run r ON r.split_id = p.split_id"
    " JOIN study_lesion l ON l.patient_id = p.patient_id"
    " WHERE r.id = NEW.run_id AND l.id = NEW.lesion_id)"
)
ROI_IS_TRAIN = (
    "EXISTS (SELECT 1 FROM truth_split_part p JOIN study_split s ON s.id = p.split_id"
    " JOIN study_lesion l ON l.patient_id = p.patient_id"
    " JOIN readers_assignment a ON a.lesion_id = l.id JOIN readers_read r ON r.assignment_id = a.id"
    " JOIN readers_roi o ON o.read_id = r.id"
    " WHERE o.id = NEW.roi_id AND s.locked_at IS NOT NULL AND p.part = 'train')"
)
RUN_INPUTS = ("study_id", "kind", "split_id", "feature_set_id", "roi_rule", "truth_digest", "seed")
CHANGED_INPUT = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in RUN_INPUTS)
STATE_OF_RUN = "(SELECT r.state FROM truth_model_run r WHERE r.id = NEW.run_id)"
PATIENT_WAS_FITTED = (
    "EXISTS (SELECT 1 FROM truth_fit_row f JOIN study_lesion x ON x.id = f.lesion_id"
    " JOIN study_lesion l ON l.patient_id = x.patient_id"
    " WHERE f.run_id = NEW.run_id AND l.id = NEW.lesion_id)"
)
STATE_OF_STUDY = "(SELECT s.state FROM study_study s WHERE s.id = NEW.study_id)"

TRIGGERS = (
    Trigger(
        "truth_fit_row_is_train",
        "truth_fit_row",
        "INSERT",
        f"COALESCE({PART_OF_FIT_ROW}, '') <> 'train'",
        "A model is fitted on the training part only.",
    ),
    *append_only("truth_fit_row", "A row of a fit"),
    *append_only("truth_look", "The ledger of looks"),
    *append_only("truth_evaluation", "An evaluation"),
    *append_only("truth_prediction", "A prediction"),
    *append_only("analysis_featurevector", "A feature vector"),
    *append_only("truth_perturbation", "A perturbation of a ROI"),
    Trigger(
        "truth_perturbation_is_train",
        "truth_perturbation",
        "INSERT",
        f"NOT {ROI_IS_TRAIN}",
        "Robustness is measured on the training part only.",
    ),
    no_delete("truth_model_run", "A model run"),
    Trigger(
        "truth_model_run_locked",
        "truth_model_run",
        "UPDATE",
        f"OLD.state IN ('locked', 'failed') OR {CHANGED_INPUT}",
        "A locked or ended model run never changes, and no run changes its inputs.",
    ),
    Trigger(
        "truth_prediction_after_lock",
        "truth_prediction",
        "INSERT",
        f"NEW.kind = 'validation' AND COALESCE({STATE_OF_RUN}, '') <> 'locked'",
        "Only a locked model run predicts the validation part.",
    ),
    Trigger(
        "truth_prediction_is_apparent",
        "truth_prediction",
        "INSERT",
        f"NEW.kind = 'validation' AND {PATIENT_WAS_FITTED}",
        "A prediction for a patient that the model was fitted on is apparent.",
    ),
    Trigger(
        "truth_evaluation_after_unblinding",
        "truth_evaluation",
        "INSERT",
        f"COALESCE({STATE_OF_STUDY}, '') NOT IN ('UNBLINDED', 'ARCHIVED')",
        "Nothing is evaluated before the study is unblinded.",
    ),
)
