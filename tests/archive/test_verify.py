"""The archive can be verified: a changed byte names its image."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from portal.archive import identities, packs, verify
from portal.archive.filing import forget
from portal.archive.models import Instance, Series, SourceSeries
from portal.archive.verify import damaged
from tests.archive.builders import person, slices
from tests.archive.test_import import ct, take

pytestmark = pytest.mark.django_db


def test_an_untouched_archive_is_sound(tmp_path):
    ct(tmp_path)
    take(tmp_path)
    out = StringIO()
    call_command("archive_verify", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"checked": 4, "damaged": [], "headers": []}


def test_a_changed_byte_names_its_image(tmp_path):
    ct(tmp_path)
    take(tmp_path)
    instance = Instance.objects.order_by("rank")[2]
    pack = packs.folder_of(Series.objects.get().folder) / packs.NATIVE
    data = bytearray(pack.read_bytes())
    data[instance.native_frames[0][0] + 5] ^= 1
    pack.write_bytes(bytes(data))
    assert damaged().uids == (instance.uid,)
    with pytest.raises(SystemExit):
        call_command("archive_verify", stdout=StringIO())


def remove(uid: str) -> None:
    """As a coordinator does: the rows, then the files."""
    series = Series.objects.get(instances__uid=uid)
    sealed = SourceSeries.objects.get(series=series).folder
    forget(series)
    packs.drop(series.folder)
    identities.drop(sealed)


@pytest.fixture
def two_exams(tmp_path) -> tuple[Instance, Instance]:
    """The first images of each, in the order in which they are verified."""
    for k in (1, 2):
        who = person(f"SYN{k}", f"2.25.70{k}")
        take(*slices(tmp_path / str(k), n=2, who=who, series=f"2.25.71{k}"))
    first, second = Series.objects.order_by("pk")
    return first.instances.get(rank=1), second.instances.get(rank=1)


def test_a_series_that_is_removed_meanwhile_is_not_damaged(two_exams, monkeypatch):
    kept, gone = two_exams
    whole, todo = verify.is_sound, [gone.uid]

    def is_sound(instance: Instance) -> bool:
        if todo and instance.uid == gone.uid:
            remove(todo.pop())
        return whole(instance)

    monkeypatch.setattr(verify, "is_sound", is_sound)
    found = damaged()
    assert (found.uids, found.headers, found.n_frames) == ((), (), 2)
    packs.drop(kept.series.folder)
    assert len(damaged().uids) == 2


def test_a_header_that_is_removed_meanwhile_is_not_damaged(two_exams, monkeypatch):
    kept, gone = two_exams
    whole, todo = verify.record_of, [gone.uid]

    def record_of(row, folder):
        if todo and row.instance_id == gone.uid:
            remove(todo.pop())
        return whole(row, folder)

    monkeypatch.setattr(verify, "record_of", record_of)
    assert damaged().headers == ()
    identities.drop(SourceSeries.objects.get().folder)
    assert kept.uid in damaged().headers


def test_rows_are_asked_for_when_their_turn_comes(two_exams):
    _, gone = two_exams
    found = []
    for instance in verify.in_turn(Instance.objects.order_by("-pk"), 1):
        if not found:
            remove(gone.uid)
        found.append(instance.series_id)
    assert len(found) == 3, "the one that was there, and not its neighbour that has gone"
    assert found.count(gone.series_id) == 1
