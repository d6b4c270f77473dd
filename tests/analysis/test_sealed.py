"""The seal: before UNBLINDED no address of analysis or dashboard depends on anything of the validation part.

Every such address is asked for as every member, with the validation part's truth, calls and predictions flipped in
between. The comparison is itself tested: with the seal broken it must find differences.
"""

import hashlib
import json
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from django.db import connection, transaction
from django.test import Client

from portal.analysis import training
from portal.analysis.models import Evaluation, FeatureSet, FeatureVector, Look, ModelRun, Prediction
from portal.audit.models import AuditEvent
from portal.dashboard.bundle import files_of
from portal.dashboard.cohort_plots import part_figures
from portal.dashboard.cohort_tables import part_tables
from portal.dashboard.exports import EXPORTS
from portal.dashboard.model_plots import RUN_FIGURES
from portal.dashboard.packages import PACKAGES
from portal.fence import triggers
from portal.study.models import Lesion, Split, SplitPart, State, Study
from portal.truth.models import ReferenceStandard
from portal.truth.strata import patient_strata
from radiomics.features import NAMES
from radiomics.model import RadiomicsModel
from readers.models import Read, Roi
from tests.analysis.builders import do_all, outlined, right_but_for
from tests.cohort import CAST, NOW, make_user
from tests.dashboard.builders import figures
from tests.readers.builders import make_reading_study
from tests.study.builders import carry_to, make_locked_split
from tests.test_blinding import TOKENS, addresses, changed
from tests.truth.builders import give_standards

pytestmark = [pytest.mark.django_db, pytest.mark.promise("B10")]
SEALED = (State.READING, State.READS_LOCKED)
OPEN, BLIND = ("coordinator", "analyst"), ("expert1", "delineator1", "monitor", "outsider")
Visit = Callable[..., list[tuple]]
FLOORS = ("portal.analysis", "portal.dashboard")
FORMS = ("csv", "json")
# where a score would show; the ROIs and features of the other addresses take long and have none
SCORES = (
    "/runs/",
    "/predictions",
    "evaluations",
    "looks",
    "dashboard",
    "/exports/reads",
    "/tables/validation",
)
KEYS = {
    "exports": tuple(EXPORTS),
    "packages": tuple(PACKAGES),
    "runs": tuple(RUN_FIGURES),
    "figures": tuple(part_figures(figures("train"))),
    "tables": tuple(part_tables(figures("train"))),
}
COLUMNS = [f"CT_{name}" for name in NAMES]


def fitted_model() -> dict[str, object]:
    """A real model of two columns that follow the label, as a run stores it."""
    rng = np.random.default_rng(1)
    y = np.arange(40) % 2
    X = rng.normal(size=(40, len(NAMES)))
    X[:, :2] += 1.2 * y[:, None]
    model = RadiomicsModel(cutoff=0.9, n_folds=4, rule="min", refit="logistic", seed=1)
    return model.fit(X, y, np.arange(40), feature_names=tuple(COLUMNS)).to_dict()


@pytest.fixture(scope="module")
def sealed(django_db_setup: None, django_db_blocker) -> Iterator[int]:
    """Drawn and read by one member each, a locked run with its sealed predictions."""
    with django_db_blocker.unblock(), transaction.atomic():
        study = make_reading_study(n_lesions=6, state="SCREENING")
        give_standards(study)
        split = make_locked_split(study, patient_strata(study))
        carry_to(study, State.READING)
        do_all(study, "delineator1", "outline", outlined())
        do_all(study, "expert1", "read", right_but_for(3))
        training.lock(make_run(study, split), actor=make_user("analyst"), now=NOW)
        yield study.pk
        transaction.set_rollback(True)


def make_run(study: Study, split: Split) -> ModelRun:
    chosen = FeatureSet.objects.create(
        study=study, parameters={"grid_mm": 1.0}, extractor_version="1", digest="d" * 64, created_at=NOW
    )  # fmt: skip
    rng = np.random.default_rng(2)
    FeatureVector.objects.bulk_create(
        FeatureVector(feature_set=chosen, roi=roi, values=rng.normal(size=len(NAMES)).tolist(), digest="e" * 64, created_at=NOW)
        for roi in Roi.objects.all()
    )  # fmt: skip
    return ModelRun.objects.create(
        study=study, kind="ct", name="ct", split=split, feature_set=chosen, truth_digest="t" * 64, seed=1,
        parameters={"rule": "min"}, model=fitted_model(), digest="f" * 64, state="fitted", fitted_at=NOW,
        created_by=make_user("analyst"), created_at=NOW,
    )  # fmt: skip


@pytest.fixture
def study(sealed: int, db: None) -> Study:
    return Study.objects.get(pk=sealed)


def held_out(study: Study) -> list[Lesion]:
    patients = SplitPart.objects.filter(split__study=study, part="validation").values("patient")
    return list(Lesion.objects.filter(patient__in=patients))


def flip_truth(study: Study) -> None:
    for row in ReferenceStandard.objects.filter(lesion__in=held_out(study)):
        other = {"metastasis": "benign", "benign": "metastasis"}[row.diagnosis]
        ReferenceStandard.objects.filter(pk=row.pk).update(diagnosis=other, note="turned")


def flip_calls(study: Study) -> None:
    """Calls of experts on the validation part; they are not out before the unblinding either."""
    rows = Read.objects.filter(assignment__lesion__in=held_out(study), assignment__session__task="read")  # fmt: skip
    said = {"call": "metastasis", "confidence": 5}
    rows.update(call="metastasis", confidence=5, score=10, document={"answers": said})


def flip_predictions(study: Study) -> None:
    rows = Prediction.objects.filter(kind="validation")
    assert rows.update(probability=0.875, not_scored="") > 0


def sealed_addresses(study: Study) -> list[str]:
    """Every address of the two floors with every key that exists, and what a list may be asked."""
    run = ModelRun.objects.get(study=study)
    samples = {"study": [study.code], "code": [run.code], "part": ["train", "validation"], "key": ["KEY"], "form": ["FORM"]}  # fmt: skip
    asked = [filled for a in addresses(samples, floors=FLOORS) for filled in with_keys(a)]
    root = f"/api/v1/studies/{study.code}/runs/{run.code}/predictions/"
    return [*asked, f"{root}?kind=validation", f"{root}?limit=500", f"{root}?kind=validation&sort=-lesion"]  # fmt: skip


def with_keys(address: str) -> list[str]:
    """An address once for each key and form that it knows."""
    keys = next((keys for place, keys in KEYS.items() if f"/{place}/" in address), ())
    forms = FORMS if "/exports/" in address else FORMS[:1]
    return sorted({address.replace("KEY", key).replace("FORM", form) for key in keys or [""] for form in forms})  # fmt: skip


@pytest.fixture
def visit(study: Study) -> Visit:
    """Ask for every address as each of these members.

    Without the trail, for taking it lengthens it, and the IBSI features, which take long: the folder below has them.
    """
    left_out = ("/exports/audit.", "/exports/ibsi.")
    asked = [a for a in sealed_addresses(study) if not any(part in a for part in left_out)]

    def answers(*names: str, only: tuple[str, ...] = ("",)) -> list[tuple]:
        seen = []
        for name in names:
            client = Client()
            client.force_login(make_user(name))
            for address in (a for a in asked if any(part in a for part in only)):
                answer = client.get(address)
                body = TOKENS.sub(b"", b"".join(answer) if answer.streaming else answer.content)
                seen.append((name, address, answer.status_code, hashlib.sha256(body).hexdigest()))
        return seen

    return answers


@pytest.mark.parametrize(
    ("state", "names", "only"),
    [(State.READING, ("analyst",), ("",)), (State.READING, ("coordinator",), SCORES), (State.READS_LOCKED, OPEN, SCORES)],
)  # fmt: skip
def test_before_unblinding_nothing_of_the_validation_part_changes_a_byte(study, visit, state, names, only):  # fmt: skip
    carry_to(study, state)
    before = visit(*names, only=only)
    triggers.drop(connection)
    for flip in (flip_truth, flip_calls, flip_predictions):
        flip(study)
    assert changed(before, visit(*names, only=only)) == []


def test_with_the_seal_broken_the_comparison_finds_it(study, visit, monkeypatch):
    monkeypatch.setattr(Study, "has_reached", lambda _self, _state: True)
    only = ("/predictions", "/exports/reads")
    before = visit("analyst", only=only)
    triggers.drop(connection)
    flip_predictions(study)
    found = changed(before, visit("analyst", only=only))
    assert any("/predictions/?kind=validation" in address for address in found)
    assert any("/exports/predictions.csv" in address for address in found)
    flip_calls(study)
    assert any("/exports/reads.json" in a for a in changed(before, visit("analyst", only=only)))


def test_the_visit_meets_open_pages_and_closed_ones(study, visit):
    seen = {address: status for _, address, status, _ in visit("analyst")}
    assert set(seen.values()) <= {200, 404, 405, 409}
    for tail in (
        "features/",
        "runs/",
        "exports/",
        "exports/features.csv",
        "exports/split.json",
        "packages/dicom-rois",
    ):
        assert seen[f"/studies/{study.code}/{tail}"] == 200
    for tail in ("exports/reads.csv", "exports/predictions.json", "packages/paper", "packages/imrmc-train", "figures/train/roc.csv"):  # fmt: skip
        assert seen[f"/studies/{study.code}/{tail}"] == 404
    assert seen[f"/api/v1/studies/{study.code}/evaluations/"] == 409


@pytest.mark.promise("B5")
def test_for_everybody_else_each_of_these_addresses_does_not_exist(study, visit):
    statuses = {(name, status) for name, _, status, _ in visit(*BLIND, only=SCORES)}
    assert {status for _, status in statuses} <= {404, 405}
    assert {name for name, _ in statuses} == set(BLIND)


@pytest.mark.parametrize("name", [*CAST, "outsider"])
@pytest.mark.parametrize("state", SEALED)
def test_no_post_makes_a_validation_figure(study, name, state):
    carry_to(study, state)
    run, lesion = ModelRun.objects.get(study=study), held_out(study)[0]
    client = Client()
    client.force_login(make_user(name))
    root, api = f"/studies/{study.code}/", f"/api/v1/studies/{study.code}/"
    predictions = Prediction.objects.count()
    answers = [
        client.post(f"{root}evaluate/", {"reason": "the planned analysis"}),
        client.post(f"{root}runs/{run.code}/predict/", {"lesion": lesion.code}),
        client.post(f"{api}evaluations/", json.dumps({"reason": "the planned analysis"}), content_type="application/json"),
        client.post(f"{api}runs/{run.code}/predict/", json.dumps({"lesion": lesion.code}), content_type="application/json"),
    ]  # fmt: skip
    wanted = [409, 422, 409, 409] if name in OPEN else [404, 404, 404, 404]
    assert [answer.status_code for answer in answers] == wanted
    assert not any(b"robability of metastasis</" in answer.content for answer in answers)
    assert not Evaluation.objects.exists()
    assert not Look.objects.exists()
    assert Prediction.objects.count() == predictions
    assert not AuditEvent.objects.filter(verb__in=["run.predict", "evaluation.compute"]).exists()


def test_the_folder_of_all_open_tables_holds_nothing_of_it(study):
    carry_to(study, State.READS_LOCKED)

    def folder() -> dict[str, bytes]:
        made = files_of(study, role="analyst", actor="u:1")
        return {name: body for name, body in made if not name.startswith("audit.")}

    before = folder()
    triggers.drop(connection)
    for flip in (flip_truth, flip_calls, flip_predictions):
        flip(study)
    assert folder() == before
    assert not {"reads.csv", "predictions.csv"} & set(before)
    assert not any(name.startswith("figure-validation") for name in before)


def test_the_exported_trail_has_digests_and_no_values(study):
    """The values of an act (a diagnosis, a call, a probability) stay in the portal."""
    client = Client()
    client.force_login(make_user("analyst"))
    rows = client.get(f"/studies/{study.code}/exports/audit.json").json()["audit"]
    assert {"run.lock", "read.submit"} <= {row["verb"] for row in rows}
    assert all(len(row["payload"]) in (0, 64) for row in rows)
    text = json.dumps(rows)
    assert not any(word in text for word in ("metastasis", "benign", "probability"))
