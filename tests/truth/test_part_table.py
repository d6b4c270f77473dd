"""Table 1 of a split under consideration, counted by hand."""

import pytest

from portal.study import splitting
from portal.study.models import Patient
from portal.truth.part_table import ages, part_table, rows_of, share
from portal.truth.strata import patient_strata
from tests.cohort import make_study
from tests.study.builders import make_cohort
from tests.truth.builders import give_standards


@pytest.mark.parametrize(("count", "total", "text"), [(1, 3, "1 (33 %)"), (0, 4, "0 (0 %)"), (4, 4, "4 (100 %)"), (0, 0, "0"), (1, 8, "1 (12 %)"), (3, 8, "3 (38 %)")])  # fmt: skip
def test_a_share_is_a_count_and_a_whole_per_cent(count: int, total: int, text: str) -> None:
    assert share(count, total) == text


@pytest.mark.parametrize(
    ("years", "text"),
    [([], "not recorded"), ([None, None], "not recorded"), ([61], "61"), ([None, 61], "61"),
     ([60, 62], "61.0 ± 1.4"), ([50, 60, 70, None], "60.0 ± 10.0")],
)  # fmt: skip
def test_age_is_mean_and_standard_deviation_of_the_known(years: list[int | None], text: str) -> None:  # fmt: skip
    assert ages([Patient(age_years=y) for y in years]) == text


def test_a_value_that_one_part_lacks_is_nought_there_and_an_empty_one_is_named() -> None:
    rows = rows_of("Sex", {"train": ["F", "F", "M", ""], "validation": ["F"]})
    assert [(r.label, r.train, r.validation) for r in rows] == [
        ("Sex: not recorded", "1 (25 %)", "0 (0 %)"),
        ("Sex: F", "2 (50 %)", "1 (100 %)"),
        ("Sex: M", "1 (25 %)", "0 (0 %)"),
    ]


@pytest.mark.django_db
def test_the_table_holds_every_patient_and_lesion_once() -> None:
    study = make_study(state="SCREENING")
    make_cohort(study, 20, with_two=5)
    give_standards(study)
    proposal = splitting.propose(study, strata=patient_strata(study), ratio=0.7, seed=3)
    rows = {r.label: (r.train, r.validation) for r in part_table(proposal)}
    assert sum(map(int, rows["Patients"])) == 20
    assert sum(map(int, rows["Lesions"])) == 25
    for label, total in (("Lesion", 25), ("Sex", 20), ("Primary", 20)):
        counts = [int(t.split()[0]) for name, texts in rows.items() if name.startswith(f"{label}: ") for t in texts]  # fmt: skip
        assert sum(counts) == total
    assert int(rows["Lesion: metastasis"][0].split()[0]) + int(rows["Lesion: metastasis"][1].split()[0]) == 15  # fmt: skip
