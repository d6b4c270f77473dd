"""Tables hold what `radiomics.stats` says of twelve lesions, each with its flags, and nothing computed on the way."""

import csv
import io

import numpy as np
import pytest

from portal.dashboard.cohort_tables import make_table, part_tables
from portal.dashboard.formats import SYNTHETIC, table_csv
from portal.dashboard.plots import Scene
from portal.dashboard.tables import Beside, Table
from radiomics.stats.agreement import gwet_ac1, kappa
from radiomics.stats.confusion import confusion
from radiomics.stats.roc import auc_interval, compare_auc
from tests.dashboard.builders import CT, GROUPS, SCORES, SPECT, Y, figures, make_part

ALONE = Beside({}, is_published=False)
PUBLISHED = Beside({"ct": 0.844, "experts": 0.839}, is_published=True)


def scene(part: str = "validation", *, looks: int = 1, is_synthetic: bool = False) -> Scene:
    return Scene(part, looks, is_synthetic)


def made(key: str, part: str = "validation", *, beside: Beside = ALONE, looks: int = 1) -> Table:
    return make_table(figures(part), scene(part, looks=looks), beside, key)


def row(table: Table, first: str) -> dict[str, object]:
    (found,) = [r for r in table.rows if r[0] == first]
    return dict(zip(table.columns, found, strict=True))


@pytest.mark.parametrize("part", ["train", "validation"])
def test_every_row_of_every_table_has_a_cell_per_column(part):
    for key in part_tables(figures(part)):
        table = made(key, part)
        assert {len(r) for r in table.rows} <= {len(table.columns)}, key


@pytest.mark.parametrize(("name", "p"), [("CT", CT), ("SPECT", SPECT)])
def test_the_top_line_is_the_clustered_interval_where_patients_repeat(name, p):
    wanted = auc_interval(Y, p, method="clustered", groups=GROUPS)
    found = row(made("auc"), name)
    assert (found["auc"], found["low"], found["high"], found["method"]) == (
        wanted.auc, wanted.low, wanted.high, "clustered",
    )  # fmt: skip
    assert found["design effect"] == wanted.design_effect


def test_the_aucs_are_those_counted_by_hand():
    # CT: pairs lost by .3 (to .55 .4 .35) and by .2 (to .55 .4 .35 .25): 36 - 7 = 29
    assert row(made("auc"), "CT")["auc"] == pytest.approx(29 / 36)
    # SPECT: .1 loses to .5 .45 .3 .2 .15: 31
    assert row(made("auc"), "SPECT")["auc"] == pytest.approx(31 / 36)


def test_the_experts_auc_of_calls_is_the_mean_of_their_balanced_accuracies():
    # Ann: 5 of 6 and 5 of 6; Ben: 4 of 6 and 5 of 6
    assert row(made("auc"), "Experts (mean of calls)")["auc"] == pytest.approx((5 / 6 + 9 / 12) / 2)


def test_published_values_stand_beside_ours_only_where_they_belong():
    assert row(made("auc", beside=PUBLISHED), "CT")["published"] == 0.844
    assert row(made("auc", beside=PUBLISHED), "Experts (mean of calls)")["published"] == 0.839
    assert row(made("auc", beside=PUBLISHED), "Experts (mean of scores)")["published"] is None
    assert row(made("auc"), "CT")["published"] is None
    assert any("0.814" in note for note in made("agreement", beside=PUBLISHED).notes)
    assert not any("0.814" in note for note in made("agreement").notes)


def test_nested_values_stand_beside_the_apparent_ones_of_train():
    found = row(made("auc", "train"), "CT")
    assert found["nested cv"] == auc_interval(Y, CT * 0.9, method="delong").auc
    assert any("Apparent" in note for note in made("auc", "train").notes)
    assert row(made("auc"), "CT")["nested cv"] is None


def test_the_title_counts_patients_lesions_and_metastases():
    assert "10 patients, 12 lesions, 6 metastases" in made("auc").title


def test_every_method_of_the_interval_is_listed_by_name():
    methods = {r[1] for r in made("intervals").rows if r[0] == "CT"}
    assert methods == {"logit_delong", "delong", "binomial", "clustered"}


def test_a_difference_shows_the_clustered_test_and_delongs_own():
    found = next(r for r in made("differences").rows if r[:2] == ("CT", "SPECT"))
    named = dict(zip(made("differences").columns, found, strict=True))
    clustered, plain = compare_auc(Y, CT, SPECT, groups=GROUPS), compare_auc(Y, CT, SPECT)
    assert named["difference"] == pytest.approx(-2 / 36)
    assert named["p"] == clustered.p_value
    assert named["test"] == clustered.method
    assert named["p (DeLong, lesions independent)"] == plain.p_value


def test_the_family_is_every_pair_and_holm_is_never_below_raw():
    table = made("differences")
    assert len(table.rows) == 6
    assert "6 comparisons in this family" in table.title
    for r in table.rows:
        named = dict(zip(table.columns, r, strict=True))
        assert named["p (Holm)"] >= named["p"]


def test_confusion_matrices_are_those_counted_by_hand():
    ct, ann, ben = (row(made("rates"), name) for name in ("CT", "Ann", "Ben"))
    assert [ct[k] for k in ("tp", "fp", "fn", "tn")] == [4, 1, 2, 5]
    assert [ann[k] for k in ("tp", "fp", "fn", "tn")] == [5, 1, 1, 5]
    assert [ben[k] for k in ("tp", "fp", "fn", "tn")] == [4, 1, 2, 5]
    assert (ct["threshold"], ann["threshold"]) == (0.5, None)


def test_rates_carry_the_limits_of_the_statistics():
    wanted = confusion(Y, CT >= 0.5, groups=GROUPS)
    found = row(made("rates"), "CT")
    for key in ("sensitivity", "specificity", "ppv", "npv", "accuracy"):
        rate = getattr(wanted, key)
        assert (found[key], found[f"{key} low"], found[f"{key} high"]) == (rate.value, rate.low, rate.high)  # fmt: skip


def test_rates_say_that_the_threshold_and_the_prevalence_were_chosen():
    notes = " ".join(made("rates").notes)
    assert "threshold was chosen on the training predictions" in notes
    assert "prevalence of this cohort" in notes


def test_the_matched_view_is_flagged_as_a_threshold_of_the_evaluation_set():
    table = made("matched")
    # at Ann's specificity 5/6 the CT model still finds .9 .8 .7 .6
    found = next(r for r in table.rows if r[:2] == ("CT", "Ann"))
    assert found[2:5] == pytest.approx((5 / 6, 5 / 6, 4 / 6))
    assert "The threshold was chosen on the evaluation set." in table.notes


def test_mcnemar_counts_the_lesions_only_one_got_right():
    # CT misses P4 and P5, calls P6/1; Ann misses P5, calls P10: model alone P10, Ann alone P4 and P6/1
    found = next(r for r in made("matched").rows if r[:2] == ("CT", "Ann"))
    assert found[5:7] == (1, 2)


def test_the_brier_score_is_the_mean_squared_error():
    assert row(made("calibration"), "CT")["brier"] == pytest.approx(np.mean((CT - Y) ** 2))


def test_agreement_lists_kappa_per_cent_ac1_pabak_and_the_weighted_kappa():
    ann, ben = ((s >= 6).astype(int) for s in SCORES.values())
    found = {r[1]: r[2] for r in made("agreement").rows}
    plain = kappa(ann, ben)
    assert found["kappa of the calls"] == plain.value
    assert found["per cent agreement of the calls"] == pytest.approx(9 / 12)
    assert found["AC1 of the calls"] == gwet_ac1(np.column_stack([ann, ben])).value
    assert found["PABAK of the calls"] == pytest.approx(2 * 9 / 12 - 1)
    assert found["linearly weighted kappa of the scores"] == kappa(*SCORES.values(), weights="linear").value  # fmt: skip


def test_two_readers_are_told_to_be_these_readers_only():
    assert "2 readers: conclusions hold for these readers only." in made("agreement").notes


def test_each_reader_has_a_row_with_auc_rates_and_time():
    found = row(made("readers"), "Ben")
    assert found["auc of calls"] == pytest.approx(0.75)
    assert found["sensitivity"] == pytest.approx(4 / 6)
    assert found["median seconds"] == pytest.approx(25.5)


def test_the_lesion_that_all_got_wrong_is_the_one_counted_by_hand():
    assert made("failures").rows == [("P5/1", "metastasis")]


def test_lesions_left_out_stand_with_their_reason():
    assert made("dropped").rows == [("P11/1", "no call by Ann")]


@pytest.mark.parametrize("key", list(part_tables(figures("validation"))))
def test_everything_of_the_validation_part_says_how_often_it_was_looked_at(key):
    assert "Looks at the validation part: 1." in made(key).notes
    again = made(key, looks=3).notes
    assert "Looks at the validation part: 3." in again
    assert "The validation part was evaluated more than once." in again


def test_the_training_part_counts_no_look():
    assert not any("Looks" in note for note in made("auc", "train", looks=3).notes)


def test_a_synthetic_study_has_simulated_readers_in_its_captions():
    shown = make_table(figures(), scene(is_synthetic=True), ALONE, "readers")
    assert shown.title.startswith("Each simulated reader")
    assert made("readers").title.startswith("Each reader")


def test_table_1_shows_mean_sem_and_sd_with_the_test():
    found = row(made("table-1"), "Age, years")
    # 61–65: mean 63, SD sqrt(2.5), SEM sqrt(.5)
    assert found["metastasis"] == "63.0 ± 0.7 (1.6)"
    assert found["benign"] == "53.0 ± 0.7 (1.6)"
    assert found["test"] == "student"
    assert found["p"] < 0.001


def test_table_1_counts_categories_and_what_is_not_recorded():
    rows = [r for r in made("table-1").rows if r[0] == "Primary tumour"]
    assert [r[1:4] for r in rows] == [("lung", 5, 0), ("not recorded", 0, 5)]
    assert rows[0][5] is None


def test_outlines_show_dice_shift_and_limits_of_the_area():
    found = row(made("outlines"), "CT")
    assert (found["lesions"], found["on the same image"], found["dice median"]) == (12, 11, 0.8)
    assert (found["area bias mm2"], found["area limit low"]) == (-3.0, -20.0)


def test_reliability_belongs_to_the_training_part_only():
    assert "reliability" in part_tables(figures("train"))
    assert "reliability" not in part_tables(figures("validation"))


def test_an_unknown_table_is_a_key_error():
    with pytest.raises(KeyError):
        made("nothing")


def test_one_reader_has_no_reader_average():
    part = make_part(readers=make_part().readers[:1])
    one = {**figures(), "mrmc": None, "agreement": {"pairs": []}}
    assert len(part.readers) == 1
    assert make_table(one, scene(), ALONE, "mrmc").notes[0] == "It needs two readers."
    assert make_table(one, scene(), ALONE, "agreement").rows == []


def test_the_csv_begins_with_its_comments_and_keeps_full_precision():
    table = made("auc")
    text = table_csv(table, comments=[SYNTHETIC, "Study bone"])
    lines = text.splitlines()
    assert lines[0] == f"# {SYNTHETIC}"
    body = list(csv.reader(io.StringIO("\n".join(x for x in lines if not x.startswith("# ")))))
    assert body[0] == list(table.columns)
    assert float(body[1][1]) == table.rows[0][1]


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-cmd", "@SUM", "\t=1", "\r=1"])
def test_no_cell_or_column_of_a_table_is_a_formula(text):
    out = table_csv(Table("t", (text, "n"), [(text, -1.5)]), comments=[])
    head, body = csv.reader(io.StringIO(out.split("\r\n", 1)[1], newline=""))
    assert head == [f"'{text}", "n"]
    assert body == [f"'{text}", "-1.5"]


def test_a_comment_with_a_line_break_stays_one_comment():
    out = table_csv(Table("a\n=1+1", ("n",), [(1,)]), comments=["x\r\n=2"])
    assert out.splitlines() == ["# x =2", "# a =1+1", "n", "1"]
