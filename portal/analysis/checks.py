"""What this floor asks of the study's steps."""

from portal.analysis.models import Evaluation, ModelRun
from portal.study.life import Check, register_check
from portal.study.models import State, Study


def runs_are_settled(study: Study) -> tuple[Check, ...]:
    """Each model run is locked, or ended with its reason, before the reads are locked."""
    open_states = (ModelRun.State.QUEUED, ModelRun.State.FITTED)
    n_open = ModelRun.objects.filter(study=study, state__in=open_states).count()
    hint = f"Lock {n_open} model runs, or let them end, on the model runs page."
    return (Check("runs", "Every model run is locked or ended", n_open == 0, hint),)


def results_are_there(study: Study) -> tuple[Check, ...]:
    parts = Evaluation.objects.filter(study=study).values_list("part", flat=True)
    done = set(parts) == {"train", "validation"}
    return (
        Check("evaluation", "Both parts are evaluated", done, "Evaluate on the dashboard first."),
    )


register_check(State.READS_LOCKED, runs_are_settled)
register_check(State.ARCHIVED, results_are_there)
