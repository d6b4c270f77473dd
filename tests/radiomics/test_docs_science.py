"""The science pages say what the code does: the catalogue's table, every flag."""

from pathlib import Path

import numpy as np
import pytest

from radiomics.features import extract
from radiomics.features.__main__ import table
from radiomics.features.outcome import moments
from radiomics.features.preparation import prepare
from radiomics.image import Slice
from radiomics.stats.flags import FLAGS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_feature_page_holds_the_catalogue():
    assert table() in (DOCS / "features.md").read_text()


def test_every_flag_is_on_the_statistics_page():
    text = (DOCS / "statistics.md").read_text()
    assert [flag for flag, sentence in FLAGS.items() if f"`{flag}` | {sentence}" not in text] == []


def test_a_spread_that_underflows_counts_as_constant():
    image = np.array([[0.0, 1e-110], [1e-110, 0.0], [0.0, 5e-111]])
    found = extract(image, np.ones(image.shape, dtype=bool))
    assert found.reasons["Skewness"] == "zero_variance"
    assert moments(image.ravel()).reasons[3] == "zero_variance"


@pytest.mark.parametrize(
    "bad", [np.empty((0, 3)), np.zeros((2, 3)), np.full((4, 3), np.nan), np.zeros((4, 2))]
)
def test_what_is_no_polygon_is_refused(bad):
    picture = Slice(np.ones((9, 9)), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 1.0))
    with pytest.raises(ValueError, match="at least 3 finite points"):
        prepare(picture, bad, low=0, high=1)
