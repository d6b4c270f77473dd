"""What the archive's writer remembers during a batch is what the rows say, asked once, and nothing after a failure."""

from typing import Any

import pytest

from portal.archive.context import Context
from portal.archive.models import Instance, Series
from portal.archive.recent import Recent, named, unheld
from portal.sql.asked import MANY
from tests.cohort import make_exam, make_series, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def series():
    one = make_series(make_exam(make_study(), "P1"), "CT")
    for rank in (1, 2):
        names = {"uid": f"2.25.7{rank}", "file_digest": f"{rank}" * 64, "content_digest": "c" * 64}
        Instance.objects.create(series=one, sop_class_uid="1.2", rank=rank, n_frames=1, **names)
    return one


def held(series) -> tuple[str, str]:
    row = Instance.objects.filter(series=series).first()
    return row.uid, row.file_digest


def test_what_the_archive_holds_is_not_new(series):
    uid, digest = held(series)
    assert unheld("uid", {uid, "2.25.404"}) == {"2.25.404"}
    assert unheld("file_digest", {digest, "f" * 64}) == {"f" * 64}


def test_nothing_asked_is_nothing_new(series, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert unheld("uid", set()) == set()


@pytest.mark.parametrize(("n", "queries"), [(1, 1), (MANY, 1), (MANY + 1, 2), (3 * MANY, 3)])
def test_many_names_are_asked_in_portions_that_a_database_can_take(
    series, django_assert_num_queries, n, queries
):
    with django_assert_num_queries(queries):
        assert len(unheld("uid", {f"2.25.{9000 + k}" for k in range(n)})) == n


def test_a_held_name_is_found_in_whichever_portion_it_lies(series):
    uid, _ = held(series)
    others = {f"0.{k:05}" for k in range(MANY)} | {f"9.{k:05}" for k in range(MANY)}
    assert unheld("uid", others | {uid}) == others


def test_a_file_is_new_until_it_is_stored_and_only_if_both_its_names_are():
    known = Recent({"digest", "uid", "other"})
    assert known.is_new("digest", "uid")
    assert not known.is_new("digest", "held")
    known.stored("digest", "uid")
    assert not known.is_new("digest", "uid")
    assert not known.is_new("digest", "other")
    assert known.is_new("other")


@pytest.mark.parametrize("kind", ["exam", "one_series"])
def test_a_place_is_looked_up_once_and_another_place_anew(kind):
    known, asked = Recent(), []

    def find(number: int) -> Any:
        asked.append(number)
        return Series(pk=number)

    look = getattr(known, kind)
    for place in [(1,), (1,), (2,), (1,)]:
        assert look(place, lambda number=place[0]: find(number)).pk == place[0]
    assert asked == [1, 2]


def test_one_row_that_two_places_lead_to_is_one_object():
    known = Recent()
    first = known.one_series(("exact",), lambda: Series(pk=7))
    assert known.one_series(("rounded",), lambda: Series(pk=7)) is first
    assert known.one_series(("other",), lambda: Series(pk=8)) is not first


def test_an_exam_and_a_series_of_one_place_are_two_things():
    known = Recent()
    assert known.exam(("a",), lambda: "exam") == "exam"  # type: ignore[arg-type, return-value]
    assert known.one_series(("a",), lambda: "series") == "series"  # type: ignore[arg-type, return-value]


def test_ranks_go_on_from_the_images_that_a_series_holds(series):
    n, known = Instance.objects.filter(series=series).count(), Recent()
    assert [known.next_rank(series) for _ in range(3)] == [n + 1, n + 2, n + 3]


def test_after_a_failure_everything_is_asked_anew(series):
    known = Recent({"digest"})
    known.exam(("a",), lambda: "exam")  # type: ignore[arg-type, return-value]
    first = known.next_rank(series)
    known.forget()
    assert not known.is_new("digest")
    assert known.exam(("a",), lambda: "new") == "new"  # type: ignore[arg-type, return-value]
    assert known.next_rank(series) == first


CONTEXT = Context(b"key", "", None, None, keeps_subject=False)


def an_answer(number: int) -> dict[str, Any]:
    return {"ok": True, "sha256": f"{number:064x}", "source": {"SOPInstanceUID": f"1.2.{number}"}}


def test_a_refused_file_is_not_asked_for(series, django_assert_num_queries):
    known = Recent()
    with django_assert_num_queries(0):
        known.learn(CONTEXT, [{"ok": False}])
    assert known.fresh == set()


def test_what_was_stored_of_a_batch_does_not_become_new_by_asking_again(
    series, django_assert_num_queries
):
    known, names = Recent(), [named(CONTEXT, an_answer(k)) for k in (1, 2)]
    known.learn(CONTEXT, [an_answer(1)])
    assert known.is_new(*names[0])
    known.stored(*names[0])
    with django_assert_num_queries(2):
        known.learn(CONTEXT, [an_answer(1), an_answer(2)])
    assert not known.is_new(*names[0])
    assert known.is_new(*names[1])
    with django_assert_num_queries(0):
        known.learn(CONTEXT, [an_answer(1), an_answer(2)])
