from pathlib import Path

import numpy as np
import pytest
from skimage.io import imread

from radiomics.phantom.__main__ import main
from radiomics.phantom.calibrate import Table, auc, features_of, split
from radiomics.phantom.contact_sheet import chosen_cases
from radiomics.phantom.plan import make_plan


def test_describe_prints_one_line_per_lesion_with_its_truth(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["describe", "--seed", "3", "--patients", "24"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 35
    assert lines[0].startswith("SYN0001\t")
    assert sum("\tmetastasis\tmetastasis\t" in line for line in lines) == 21


def test_bad_arguments_end_with_one_sentence_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "--patients", "3"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_contact_sheet_is_one_picture_with_a_row_per_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sheet.png"
    assert main(["contact-sheet", str(out), "--cases", "2", "--patients", "8"]) == 0
    assert imread(out).shape[0] == 2 * 256
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_cases_of_a_contact_sheet_are_all_different() -> None:
    plan = make_plan(seed=2022)
    looks = [
        (le.image_class, le.shape)
        for i, s in chosen_cases(plan, 20)
        for le in [plan.patients[i].lesions[s - 1]]
    ]
    assert len(set(looks)) == len(looks) >= 10


def test_auc_counts_ordered_pairs() -> None:
    labels = np.array([0, 0, 1, 1])
    assert auc(labels, np.array([0.1, 0.4, 0.35, 0.8])) == pytest.approx(0.75)
    assert auc(labels, np.zeros(4)) == 0.5


def test_features_of_a_patient_are_measured_from_its_drawings() -> None:
    plan = make_plan(seed=2022)
    (rows,) = features_of(plan, 0)
    assert len(rows) == len(plan.patients[0].lesions)
    for ct, spect in rows:
        assert ct.shape == spect.shape == (279,)
        assert np.isfinite(ct).sum() > 240


def test_a_split_keeps_the_lesions_of_a_patient_together() -> None:
    patients = np.repeat(np.arange(20), 2)
    table = Table(np.zeros((40, 1)), np.zeros((40, 1)), np.tile([0, 1], 20), patients)
    train = split(table, 1)
    assert train.sum() == 28
    assert set(patients[train]).isdisjoint(patients[~train])
