"""Figures draw the stored numbers, unchanged; as JSON, CSV, SVG and PNG, with their flags and feet."""

import csv
import io
import json
from xml.etree import ElementTree

import numpy as np
import pytest

from portal.dashboard import drawing
from portal.dashboard.cohort_plots import draw_part, part_figures
from portal.dashboard.formats import SYNTHETIC, plot_csv, plot_file, plot_rows
from portal.dashboard.model_plots import RUN_FIGURES, cv_curve, lasso_path
from portal.dashboard.plots import Plot, Scene, Series
from radiomics.stats.decision import decision_curve
from tests.dashboard.builders import CT, NAMES, Y, figures

KEYS = tuple(part_figures(figures("train")))
MODEL = {
    "kept": ["a", "b", "c"],
    "selected": ["b", "c"],
    "flags": ["epv_low"],
    "path": {"lambdas": [0.4, 0.2, 0.1], "row": [1, 2, 2, 2], "col": [1, 0, 1, 2], "val": [0.5, 9.0, 0.8, -0.3]},
    "cv": {"cvm": [1.3, 1.1, 1.2], "cvsd": [0.1, 0.2, 0.1], "index_min": 1, "index_1se": 0, "folds": [1, 2, 3, 1]},
}  # fmt: skip


def plot(key: str, part: str = "validation", *, looks: int = 1, synthetic: bool = False) -> Plot:
    return draw_part(figures(part), Scene(part, looks, synthetic), key)


def series(found: Plot, name: str) -> Series:
    (one,) = [s for s in found.series if s.name == name]
    return one


@pytest.mark.parametrize("key", KEYS)
def test_every_figure_has_title_description_and_points_in_strict_json(key):
    body = plot(key, "train").as_json()
    assert json.loads(json.dumps(body, allow_nan=False)) == body
    assert body["title"]
    assert body["note"].endswith(".")
    assert any(s["points"] for s in body["series"])


def test_the_roc_has_each_models_curve_and_each_readers_point():
    found = plot("roc")
    assert [(p["x"], p["y"]) for p in series(found, "CT").points][0] == (1.0, 1.0)
    (ann,) = series(found, "Ann (calls)").points
    assert (ann["x"], ann["y"]) == pytest.approx((1 / 6, 5 / 6))


def test_the_readers_points_lie_on_their_own_curves():
    found = plot("roc")
    for name in ("Ann", "Ben"):
        (point,) = series(found, f"{name} (calls)").points
        curve = [(p["x"], p["y"]) for p in series(found, f"{name} (scores)").points]
        assert min(np.hypot(x - point["x"], y - point["y"]) for x, y in curve) < 1e-5


def test_decision_curves_run_from_five_to_ninety_five_per_cent():
    found = series(plot("decision"), "CT")
    assert [found.points[0]["x"], found.points[-1]["x"]] == [0.05, 0.95]
    wanted = decision_curve(Y, CT)
    assert [p["y"] for p in found.points] == [float(v) for v in wanted.net_benefit[5:96]]
    assert {"Treat all", "Treat none", "Ann", "Ben"} <= {s.name for s in plot("decision").series}


def test_decision_curves_say_from_where_few_lesions_are_called_positive():
    # four CT probabilities lie at or above .56
    assert "CT: fewer than 5 positive calls from threshold 0.56 on." in plot("decision").notes


def test_a_forest_names_both_sides_of_each_difference():
    names = [p["x"] for p in plot("differences").series[0].points]
    assert names[0] == "CT − SPECT"
    assert len(names) == len(set(names)) == 6


def test_rates_show_sensitivity_and_specificity_side_by_side():
    found = plot("rates")
    assert [s.name for s in found.series] == ["Sensitivity", "Specificity"]
    assert [p["x"] for p in found.series[0].points] == ["CT", "SPECT", "Ann", "Ben"]


def test_boxes_are_the_five_numbers_of_each_class():
    found = series(plot("boxes-ct"), "Benign")
    # the second feature of the benign lesions is 6, 7, 8, 9, 10, 11
    assert found.points[1] == {"x": NAMES[1], "low": 6.0, "q1": 7.25, "y": 8.5, "q3": 9.75, "high": 11.0}  # fmt: skip


def test_the_heatmap_is_symmetric_with_ones_on_its_diagonal():
    found = {(s.name, p["x"]): p["y"] for s in plot("correlation-ct").series for p in s.points}
    assert all(found[name, name] == pytest.approx(1.0) for name in NAMES)
    assert all(found[a, b] == found[b, a] for a, b in found)


def test_the_intercept_is_no_feature():
    assert [p["x"] for p in plot("coefficients-ct").series[0].points] == NAMES


def test_a_model_without_features_has_no_feature_figures():
    assert not {key for key in part_figures(figures()) if key.endswith("-spect")}


def test_the_reliability_histogram_has_ten_bins_that_hold_every_defined_feature():
    (found,) = plot("reliability", "train").series
    assert sum(p["y"] for p in found.points) == 270
    assert [p["low"] for p in found.points] == [round(k / 10, 1) for k in range(10)]


@pytest.mark.parametrize("key", [k for k in KEYS if k != "reliability"])
def test_every_figure_of_the_validation_part_counts_its_looks(key):
    assert "Looks at the validation part: 2." in plot(key, looks=2).notes
    assert "The validation part was evaluated more than once." in plot(key, looks=2).notes
    assert not any("Looks" in n for n in plot(key, "train", looks=2).notes)


def test_captions_of_a_synthetic_study_say_simulated():
    for key in ("auc", "roc", "decision", "times", "rates", "differences"):
        assert "simulated readers" in plot(key, synthetic=True).description
        assert "simulated" not in plot(key).description


def test_flags_stand_as_sentences_in_the_note():
    assert "Fewer than 10 lesions in a class." in plot("auc").as_json()["note"]


def test_notes_are_not_said_twice():
    found = Plot("roc", "t", "x", "y", [], "d.", ("a.",)).with_notes(["a.", "b."])
    assert found.notes == ("a.", "b.")


def test_the_path_puts_lambda_on_the_axis_and_leaves_out_what_was_not_selected():
    found = lasso_path(MODEL, "ct")
    assert [s.name for s in found.series] == ["b", "c"]
    assert series(found, "b").points == [{"x": 0.2, "y": 0.5}, {"x": 0.1, "y": 0.8}]
    assert series(found, "c").points == [{"x": 0.1, "y": -0.3}]


def test_the_cv_curve_has_its_band_and_marks_both_lambdas():
    found = cv_curve(MODEL, "spect")
    assert found.series[0].points[0] == {"x": 0.4, "y": 1.3, "low": pytest.approx(1.2), "high": pytest.approx(1.4)}  # fmt: skip
    assert [p["x"] for p in found.series[1].points] == [0.2, 0.4]
    assert found.description.startswith("3-fold")


@pytest.mark.parametrize("key", list(RUN_FIGURES))
def test_a_run_figure_carries_the_flags_of_its_model(key):
    assert any("10 events" in note for note in RUN_FIGURES[key](MODEL, "ct").notes)


@pytest.mark.parametrize("key", KEYS)
def test_the_csv_of_a_figure_holds_every_point(key):
    found = plot(key, "train")
    text = plot_csv(found, comments=["c"])
    rows = list(csv.reader(line for line in text.splitlines() if not line.startswith("# ")))
    assert len(rows) - 1 == sum(len(s.points) for s in found.series) == len(plot_rows(found))
    assert ("q1" in rows[0]) == (found.kind == "box")
    assert text.startswith("# c\r\n")


@pytest.mark.parametrize("key", ["roc", "boxes-ct", "correlation-ct", "reliability", "differences", "decision"])  # fmt: skip
def test_the_svg_is_a_picture_with_the_title_and_the_foot(key):
    body = plot_file(plot(key, "train"), "svg", comments=[SYNTHETIC, "inputs abc"])
    root = ElementTree.fromstring(body)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 10


def test_the_foot_of_a_picture_is_every_comment_and_note():
    found = plot("roc", looks=2)
    figure = drawing.draw(found, footer=" · ".join([SYNTHETIC, *found.notes]))
    assert SYNTHETIC in figure.get_supxlabel()
    assert "Looks at the validation part: 2." in figure.get_supxlabel()


def test_the_same_figure_gives_the_same_svg():
    one, two = (plot_file(plot("auc"), "svg", comments=["x"]) for _ in range(2))
    assert one == two


def test_the_png_is_a_png():
    assert plot_file(plot("auc"), "png", comments=["x"]).startswith(b"\x89PNG\r\n")


def test_a_limit_of_zero_is_drawn_at_zero_and_not_at_the_value():
    assert drawing.number({"x": "a", "y": 0.5, "low": 0.0}, "low") == 0.0
    assert drawing.number({"x": "a", "y": 0.5, "low": None}, "low") == 0.5


def test_a_picture_with_many_rows_grows():
    few, many = ([Series("s", [{"x": f"f{i}", "y": 1.0} for i in range(n)])] for n in (2, 40))
    heights = [drawing.height_of(Plot("bars", "t", "", "", s, "d.")) for s in (few, many)]
    assert heights[0] < 4 < 12 < heights[1]
    assert io.BytesIO(drawing.svg(Plot("bars", "t", "", "", many, "d."), footer="f")).read(5) == b"<?xml"  # fmt: skip
