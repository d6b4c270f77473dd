"""Files of a study: who may take which from when, what is inside, and that taking leaves its act."""

import csv
import hashlib
import io
import json
import re
import zipfile

import pytest
from django.db import transaction
from django.test import Client

from portal.audit.models import AuditEvent
from portal.dashboard.archives import LIST, zipped
from portal.dashboard.facts import NOT_RECORDED, facts_of
from portal.dashboard.formats import SYNTHETIC
from portal.dashboard.guidelines import GUIDELINES, sheet
from portal.dashboard.imrmc import imrmc_text
from portal.dashboard.packages import PACKAGES
from portal.dashboard.paper import FIGURES, paper_files, place_of
from portal.study.models import State
from tests.cohort import make_lesion, make_patient, make_study, make_user
from tests.dashboard.builders import (
    BLIND,
    LABELS,
    SCORES,
    VIEWERS,
    Y,
    make_evaluated,
    make_part,
)
from tests.truth.builders import make_standard

PUBLIC = pytest.mark.django_db
ORDER = (State.DRAFT, State.SCREENING, State.READING, State.READS_LOCKED, State.UNBLINDED)
ITEMS = {"stard-2015": 34, "claim-2024": 44, "clear": 58, "metrics": 30, "tripod-ai": 52}


def take(name: str, key: str):
    client = Client()
    client.force_login(make_user(name))
    return client.get(f"/studies/bone/packages/{key}")


@PUBLIC
@pytest.mark.parametrize("key", sorted(PACKAGES))
@pytest.mark.parametrize("name", BLIND)
def test_readers_monitors_and_outsiders_take_no_file(name, key):
    make_study(state=State.UNBLINDED)
    assert take(name, key).status_code == 404
    assert not AuditEvent.objects.filter(verb="export.take").exists()


@PUBLIC
@pytest.mark.promise("B10")
@pytest.mark.parametrize("key", sorted(PACKAGES))
@pytest.mark.parametrize("state", ORDER[:-1])
def test_a_file_is_taken_from_its_state_on_and_never_before(key, state):
    make_study(state=state)
    is_open = ORDER.index(state) >= ORDER.index(PACKAGES[key].opens)
    assert take("coordinator", key).status_code == (200 if is_open else 404)


@PUBLIC
@pytest.mark.parametrize("key", ["imrmc-train", "imrmc-validation", "paper"])
def test_what_holds_answers_needs_a_counted_look_first(key):
    make_study(state=State.UNBLINDED)
    answer = take("analyst", key)
    assert answer.status_code == 404
    assert "Nothing has been evaluated yet" in answer.content.decode()


@PUBLIC
@pytest.mark.parametrize("name", VIEWERS)
def test_taking_a_file_is_one_act_with_its_size(name):
    make_study(state=State.UNBLINDED)
    before = AuditEvent.objects.count()
    answer = take(name, "dicom-rois")
    assert answer.status_code == 200
    (act,) = AuditEvent.objects.filter(verb="export.take")
    assert act.obj == "export:dicom-rois"
    assert AuditEvent.objects.count() == before + 1
    assert answer["Content-Disposition"] == 'attachment; filename="bone-rois.zip"'
    assert answer["Cache-Control"] == "private, no-store"


@PUBLIC
def test_a_file_that_does_not_exist_is_not_found():
    make_study(state=State.UNBLINDED)
    assert take("coordinator", "everything").status_code == 404


@PUBLIC
def test_the_page_lists_every_file_and_links_those_that_are_open():
    make_study(state=State.READING)
    client = Client()
    client.force_login(make_user("coordinator"))
    page = client.get("/studies/bone/exports/").content.decode()
    assert all(package.title in page for package in PACKAGES.values())
    assert "/studies/bone/packages/dicom-rois" in page
    assert "/studies/bone/packages/paper" not in page


@PUBLIC
def test_a_zip_of_a_synthetic_study_says_so_in_a_file_of_its_own():
    make_study(state=State.READING, is_synthetic=True)
    with zipfile.ZipFile(io.BytesIO(take("coordinator", "dicom-rois").content)) as archive:
        assert archive.read("README.txt").decode() == f"{SYNTHETIC}\n"


def test_a_zip_lists_the_digest_of_every_file_and_repeats_byte_for_byte():
    files = [("a/b.txt", b"one"), ("c.bin", b"\x00" * 1000)]
    body = zipped(files)
    assert body == zipped(files)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        listed = json.loads(archive.read(LIST))
        assert listed == {name: hashlib.sha256(body).hexdigest() for name, body in files}
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def parsed(text: str) -> tuple[dict[str, str], list[list[str]]]:
    """Head and rows of an iMRMC file, read as its manual says."""
    head, body = text.split("BEGIN DATA:\n")
    counts = dict(re.findall(r"^(N0|N1|NR|NM): (\d+)$", head, re.MULTILINE))
    return counts, [line.split(",") for line in body.splitlines()]


def test_an_imrmc_file_counts_cases_readers_and_modalities():
    counts, rows = parsed(imrmc_text(make_part(), comments=["note"]))
    assert counts == {"N0": "6", "N1": "6", "NR": "2", "NM": "1"}
    assert all(len(row) == 4 for row in rows)
    assert len(rows) == 12 + 2 * 12


def test_an_imrmc_file_gives_the_truth_of_every_case_once_and_first():
    _, rows = parsed(imrmc_text(make_part(), comments=[]))
    truth = [row for row in rows if row[0] == "-1"]
    assert rows[:12] == truth
    assert [(row[1], int(row[3])) for row in truth] == [
        (label.replace("/", "_"), int(y)) for label, y in zip(LABELS, Y, strict=True)
    ]
    assert {row[2] for row in truth} == {"0"}


def test_an_imrmc_file_gives_back_every_score():
    _, rows = parsed(imrmc_text(make_part(), comments=[]))
    for name, scores in SCORES.items():
        assert [float(row[3]) for row in rows if row[0] == name] == scores.tolist()


def test_no_name_breaks_the_four_fields_of_an_imrmc_file():
    part = make_part()
    odd = type(part.readers[0])(**{**vars(part.readers[0]), "name": "Dr. A, B; C"})
    _, rows = parsed(imrmc_text(make_part(readers=(odd,)), comments=["BEGIN"]))
    assert all(len(row) == 4 and " " not in "".join(row) for row in rows)
    assert {row[0] for row in rows} == {"-1", "Dr_A_B_C"}


@pytest.mark.parametrize("key", sorted(GUIDELINES))
def test_a_guideline_has_all_its_items_once(key):
    rows = sheet(key, {}).rows
    assert len(rows) == ITEMS[key]
    assert len({row[0] for row in rows}) == len(rows)
    assert all(row[1] for row in rows)


@pytest.mark.parametrize(
    ("key", "last"), [("stard-2015", 30), ("claim-2024", 44), ("clear", 58), ("metrics", 30), ("tripod-ai", 27)]
)  # fmt: skip
def test_the_items_of_a_guideline_are_numbered_without_a_gap(key, last):
    numbers = [int(re.match(r"\d+", row[0]).group()) for row in sheet(key, {}).rows]
    assert sorted(set(numbers)) == list(range(1, last + 1))
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("key", sorted(GUIDELINES))
def test_what_the_database_does_not_hold_is_not_recorded(key):
    assert {row[2] for row in sheet(key, {}).rows} == {NOT_RECORDED}


def test_a_fact_fills_every_item_that_asks_for_it():
    rows = {row[0]: row[2] for row in sheet("stard-2015", {"flow": "12 screened."}).rows}
    assert rows["19"] == "12 screened."
    assert rows["30"] == NOT_RECORDED


@PUBLIC
def test_an_empty_study_has_hardly_a_fact():
    assert set(facts_of(make_study())) == {"software", "flow"}


@PUBLIC
def test_an_inconclusive_lesion_is_reported_with_its_reason():
    study = make_study(state="SCREENING")
    lesion = make_lesion(make_patient(study, "P1"))
    make_standard(lesion, "benign")
    assert facts_of(study)["reference"] == "Reference standard per lesion by pathology 1."
    make_standard(lesion, "inconclusive", reason="two biopsies disagree")
    assert facts_of(study)["reference"] == (
        "Reference standard per lesion by pathology 1. Inconclusive and left out of fits and figures: "
        f"{lesion} (two biopsies disagree)."
    )


@PUBLIC
def test_facts_of_an_evaluated_study_are_its_stored_figures():
    facts = facts_of(make_evaluated(looks=2))
    assert "looked at 2 times" in facts["looks"]
    assert "Validation: CT 0.806" in facts["auc"]
    assert "12 lesions of 10 patients, 6 metastases, 1 left out" in facts["counts"]
    assert "Ann and Ben kappa 0.5" in facts["agreement"]


@pytest.fixture(scope="module")
def pack(django_db_setup, django_db_blocker) -> dict[str, bytes]:
    """The pack of a synthetic, evaluated study, made once for this module."""

    with django_db_blocker.unblock(), transaction.atomic():
        study = make_evaluated("packed", is_synthetic=True, parts=("validation",))
        found = dict(paper_files(study))
        transaction.set_rollback(True)
    return found


def test_the_pack_has_figures_tables_numbers_methods_and_every_guideline(pack):
    for name in ("README.txt", "methods.txt", "figures/Figure-1-flow.svg",
                 "figures/Figure-3-roc-validation.svg", "figures/Figure-4-calibration-validation.svg",
                 "figures/Figure-5-decision-validation.svg", "figures/Figure-8-outlines-validation.svg",
                 "tables/Table-1-characteristics-validation.csv", "tables/Table-2-auc-validation.csv",
                 "supplementary/figures-validation-boxes-ct.svg", "supplementary/figures-validation-correlation-ct.svg",
                 "numbers/figure-validation-roc.csv"):  # fmt: skip
        assert name in pack
    assert {f"checklists/{key}.csv" for key in GUIDELINES} <= set(pack)


def test_every_picture_of_the_pack_is_a_vector_file_with_its_numbers(pack):
    pictures = [name for name in pack if name.endswith(".svg")]
    numbers = [name for name in pack if name.startswith("numbers/")]
    assert len(pictures) == len(numbers) + 1  # the flow diagram has its numbers in it
    assert all(b"<svg" in pack[name] for name in pictures)


def test_every_file_of_a_synthetic_pack_says_so(pack):
    for name, body in pack.items():
        text = body.decode()
        if name.endswith(".csv"):
            assert text.startswith(f"# {SYNTHETIC}"), name
        elif name.endswith(".txt"):
            assert text.startswith(SYNTHETIC), name
    assert SYNTHETIC in pack["figures/Figure-1-flow.svg"].decode()


def test_a_sheet_of_the_pack_is_filled_from_the_database(pack):
    lines = [x for x in pack["checklists/stard-2015.csv"].decode().splitlines() if x[0] != "#"]
    rows = {row["item"]: row["what is recorded"] for row in csv.DictReader(lines)}
    assert "CT 0.806" in rows["24"]
    assert rows["28"] == NOT_RECORDED


def test_the_methods_name_versions(pack):
    assert re.search(r"Osteon \d+\.\d+", pack["methods.txt"].decode())


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("validation-roc", "figures/Figure-3-roc-validation"),
        ("ct-abc-lasso-path", "figures/Figure-2-path-ct-abc"),
        ("ct-abc-cv", "figures/Figure-2-cv-ct-abc"),
        ("train-boxes-ct", "supplementary/figures-train-boxes-ct"),
    ],
)
def test_a_figure_without_a_number_is_supplementary(name, wanted):
    assert place_of(name, FIGURES, "figures") == wanted
