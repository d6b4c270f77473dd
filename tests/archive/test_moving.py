"""The command `archive_move`: which series it takes, in which order, and how it tells what did not move."""

import json
from datetime import date
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from portal.archive.models import Series
from portal.errors import Conflict
from portal.management.commands import archive_move
from tests.archive.dicomweb.test_search import LABELS, make_one

SERVER = "http://127.0.0.1:9/dicomweb"


@pytest.fixture
def asked(db, monkeypatch) -> list[tuple[str, str]]:
    """The moves that are asked for, `away` or `home`; a series called WB cannot move, one called SPECT is there already.

    What a move itself does is tested with real stores in test_copies.py.
    """
    said: list[tuple[str, str]] = []

    def away(series: Series, to: object, *, now: object) -> int:
        return home(series, "away")

    def home(series: Series, way: str = "home") -> int:
        said.append((way, series.uid))
        if series.label == "WB":
            raise Conflict("This one stays.")
        return int(series.label != "SPECT")

    monkeypatch.setattr(archive_move, "move_out", away)
    monkeypatch.setattr(archive_move, "move_home", home)
    return said


def exam(key: str, *labels: str) -> list[str]:
    """UIDs of the series of a new exam, in the order in which they came."""
    kinds = [one for label in labels for one in LABELS if one[1] == label]
    made = make_one(key, "a", date(2001, 1, 1), kinds)
    return list(made.series.order_by("pk").values_list("uid", flat=True))


def run(*options: str) -> tuple[str, int]:
    """What the command says, and its exit status."""
    out = StringIO()
    try:
        call_command("archive_move", *options, stdout=out)
    except SystemExit as ended:
        return out.getvalue(), int(ended.code or 0)
    return out.getvalue(), 0


def test_one_series_that_cannot_move_does_not_keep_the_others(asked):
    first, stuck, last = exam("bone", "CT", "WB", "OTHER")
    text, status = run("--to", SERVER)
    assert asked == [("away", first), ("away", stuck), ("away", last)]
    assert text == f"{stuck}: This one stays.\n2 series moved, 1 not.\n"
    assert status == 1


def test_what_is_there_already_is_not_counted_as_moved(asked):
    exam("bone", "CT", "SPECT", "SPECT")
    assert run("--to", SERVER) == ("1 series moved, 0 not.\n", 0)
    assert len(asked) == 3


def test_the_last_line_is_one_json_object_where_it_is_wanted(asked):
    _, stuck = exam("bone", "CT", "WB")
    text, status = run("--to", "local", "--json")
    assert json.loads(text) == {"moved": 1, "failed": {stuck: "This one stays."}}
    assert (text.count("\n"), status) == (1, 1)


def test_a_held_series_is_brought_home_but_never_sent_away(asked):
    ready, held = exam("bone", "CT", "OTHER")
    Series.objects.filter(uid=held).update(state="held", reason_code="burned_in")
    run("--to", SERVER)
    run("--to", "local")
    assert asked == [("away", ready), ("home", ready), ("home", held)]


@pytest.mark.parametrize("to", [SERVER, "local"])
def test_only_the_images_of_the_named_study_move(asked, to):
    mine = exam("bone", "CT")
    exam("other", "CT")
    exam("", "CT")
    run("--to", to, "--study", "bone")
    assert [uid for _, uid in asked] == mine
    asked.clear()
    assert run("--to", to, "--study", "bon") == ("0 series moved, 0 not.\n", 0)
    assert asked == []


@pytest.mark.parametrize("to", ["", "Local", "REMOTE", "ftp://x/y", "not an address"])
def test_a_target_that_is_no_store_moves_nothing(asked, to):
    exam("bone", "CT")
    with pytest.raises(CommandError, match=r"\.$"):
        run("--to", to)
    assert asked == []
