"""Still pictures: what they draw, what they refuse, and the desk without script."""

import io
import math
from types import SimpleNamespace

import numpy as np
import pytest
from django.http import QueryDict
from django.test import Client
from PIL import Image

from portal.archive.drawing import coloured, png, windowed
from portal.archive.models import Series
from portal.errors import Invalid
from radiomics.image import Slice, Volume
from readers import reading
from readers.models import Read
from readers.pictures import fused, look_of
from readers.still_panes import nearest, still_panes
from tests.cohort import NOW, make_user
from tests.readers.builders import answers, draft, make_reading_study, start

X, Y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def test_a_window_maps_its_bounds_to_black_and_white():
    shares = windowed([[-200, 300, 800, 2000]], -200.0, 800.0)
    assert coloured(shares, "grey")[0, :, 0].tolist() == [0, 128, 255, 255]
    assert coloured(shares, "inverted")[0, :, 0].tolist() == [255, 128, 0, 0]


def test_inferno_begins_black_and_ends_pale_yellow():
    ends = coloured(np.array([[0.0, 1.0]]), "inferno")
    # first and last entry of matplotlib's published table
    assert ends[0].tolist() == [[0, 0, 3], [252, 254, 164]]


def fusion(counts: float, *, opacity: float = 0.5, threshold: float = 10.0):
    ct = Slice(np.array([[250.0]]), (0.0, 0.0, 0.0), X, Y, (1.0, 1.0))
    spect = Volume(
        np.full((2, 2, 2), counts), (-1.0, -1.0, -1.0), X, Y, (2.0, 2.0), 2.0,
        np.array([[-1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]]),
    )  # fmt: skip
    look = SimpleNamespace(opacity=opacity, threshold=threshold)
    return fused(ct, spect, look, window=(-200.0, 800.0), top=1500.0)[0, 0].tolist()


def test_below_the_threshold_the_ct_is_untouched():
    assert fusion(149.0) == [115, 115, 115]


def test_above_it_the_two_are_mixed_by_the_opacity():
    over = coloured(np.array([[0.4]]), "inferno")[0, 0].astype(float)
    assert fusion(600.0) == np.rint(0.5 * 115 + 0.5 * over).astype(int).tolist()
    assert fusion(600.0, opacity=0.0) == [115, 115, 115]
    assert fusion(600.0, opacity=1.0) == over.astype(int).tolist()


@pytest.mark.parametrize(
    "query",
    [
        "role=PET",
        "map=rainbow",
        "slice=0",
        "slice=x",
        "slice=nan",
        "opacity=1.1",
        "threshold=51",
        "lower=5&upper=5",
        "lower=1e99",
    ],
)
def test_a_look_out_of_range_is_refused(query):
    with pytest.raises(Invalid):
        look_of(QueryDict(query))


pytestmark = pytest.mark.urls("tests.readers.urls")


@pytest.fixture
def case(db):
    study = make_reading_study(parameters={"still_pictures": True})
    return start(study).assignments.get(position=1)


@pytest.fixture
def client(case):
    client = Client()
    client.force_login(make_user("expert1"))
    return client


def form(**fields):
    return {"version": "0", "key": "k", **fields}


def test_a_case_that_is_not_on_the_desk_has_no_picture(case):
    stranger = Client()
    stranger.force_login(make_user("expert2"))
    assert stranger.get(f"/reading/cases/{case.code}/picture.png").status_code == 404
    assert stranger.get(f"/reading/cases/{case.code}/?view=pictures").status_code == 404


def test_the_still_desk_shows_pictures_and_the_form(client, case):
    page = client.get(f"/reading/cases/{case.code}/?view=pictures").content.decode()
    assert f"/reading/cases/{case.code}/picture.png?role=CT&amp;slice=3" in page
    assert "slice 3 of 5" in page
    assert 'name="call"' in page
    assert "<script" not in page


def answered(client, case, **fields):
    return client.post(f"/reading/cases/{case.code}/answer/", form(**fields))


def test_moving_on_in_the_images_saves_the_answers_first(client, case):
    client.get(f"/reading/cases/{case.code}/?view=pictures")
    moved = answered(client, case, call="metastasis", go="ct=4&ct_window=soft")
    assert moved["Location"] == f"/reading/cases/{case.code}/?view=pictures&ct=4&ct_window=soft"
    assert Read.objects.get(assignment=case).document["answers"]["call"] == "metastasis"
    page = client.get(moved["Location"]).content.decode()
    assert "slice 4 of 5" in page
    assert 'value="metastasis" checked' in page


def test_moving_on_without_a_change_writes_no_version(client, case):
    client.get(f"/reading/cases/{case.code}/?view=pictures")
    answered(client, case, go="ct=4")
    answered(client, case, call="benign", go="ct=2")
    answered(client, case, version="1", key="k2", call="benign", go="ct=3")
    assert Read.objects.get(assignment=case).version == 1


def test_saving_stays_on_the_slice_and_window_that_were_shown(client, case):
    saved = answered(client, case, call="benign", at="spect=2&spect_window=full", save="1")
    assert saved["Location"].endswith("?view=pictures&spect=2&spect_window=full")


def test_a_move_to_another_address_is_not_followed(client, case):
    moved = answered(client, case, go="//evil.example/?next=1&ct=2")
    assert moved["Location"] == f"/reading/cases/{case.code}/?view=pictures&ct=2"


@pytest.mark.parametrize(
    "view", ["ct=0", "ct=6", "ct=x", "ct_window=rainbow", "overlay=0.3", "spect_window=bone"]
)
def test_a_view_that_does_not_exist_is_refused(client, case, view):
    answer = client.get(f"/reading/cases/{case.code}/?view=pictures&{view}")
    assert answer.status_code in {400, 422}


def test_what_the_viewer_saved_beside_the_answers_survives_the_still_desk(client, case):
    reader = make_user("expert1")
    opened = reading.open_case(case, actor=reader, now=NOW)
    document = {
        **draft(answers("benign", 2)),
        "looks": {"ct": {"lower": 1}},
        "focus": [1.0, 2.0, 3.0],
    }
    reading.save_draft(
        case, document, base_version=opened.draft_version, key="v", actor=reader, now=NOW
    )
    answered(client, case, version="1", call="benign", confidence="5", save="1")
    kept = Read.objects.get(assignment=case).document
    assert (kept["answers"]["confidence"], kept["looks"], kept["focus"]) == (5, {"ct": {"lower": 1}}, [1.0, 2.0, 3.0])  # fmt: skip


def panes_of(case, view=""):
    opened = reading.open_case(case, actor=make_user("expert1"), now=NOW)
    return {pane.title: pane for pane in still_panes(opened, QueryDict(view))}


def test_the_lesion_is_marked_where_it_lies_in_millimetres(case):
    # the cast's lesion is at the centre of a CT of 64 pixels of 1 mm and a SPECT of 32 of 4 mm
    shown = panes_of(case)
    assert (shown["CT"].width, shown["CT"].height) == (64.0, 64.0)
    assert shown["CT"].mark == pytest.approx((32.0, 32.0))
    assert shown["SPECT"].mark == pytest.approx((64.0, 64.0))
    assert shown["CT and SPECT"].mark == shown["CT"].mark


def test_the_whole_body_mark_is_column_first_and_in_millimetres(case):
    # pixels of 2 mm: column 10, row 40 has its centre 21 mm to the right and 81 mm down
    case.lesion.whole_body_pixels = {"anterior": [10, 40]}
    case.lesion.save()
    shown = panes_of(case)
    assert shown["Anterior"].mark == (21.0, 81.0)
    assert shown["Posterior"].mark is None


def test_no_mark_is_shown_on_a_slice_that_does_not_hold_the_lesion(case):
    assert panes_of(case, "ct=4")["CT"].mark is None
    assert panes_of(case, "ct=3")["CT"].mark is not None


def test_the_case_opens_at_the_lesion_and_leads_back_to_it(case):
    shown = panes_of(case, "ct=1&spect_window=full")
    assert panes_of(case)["CT"].slice == 3
    back = next(move for move in shown["CT"].moves if move.label == "To the lesion")
    assert back.to == "ct=3&spect_window=full"
    assert "To the lesion" not in [move.label for move in panes_of(case)["CT"].moves]


def test_no_button_leads_beyond_the_first_or_last_slice(case):
    labels = {n: [m.label for m in panes_of(case, f"ct={n}")["CT"].moves] for n in (1, 5)}
    assert labels[1] == ["Slice after", "To the lesion"]
    assert labels[5] == ["Slice before", "To the lesion"]


def test_a_window_is_asked_for_by_its_name_and_drawn_by_its_bounds(case):
    soft = panes_of(case, "ct_window=soft")["CT"]
    assert "lower=-160.0&upper=240.0" in soft.src
    assert [move.label for move in soft.windows if move.is_now] == ["soft"]


def test_the_slices_of_a_tilted_series_are_told_apart_along_their_normal():
    tilt = math.radians(10)
    down = (0.0, math.cos(tilt), math.sin(tilt))
    across = (0.0, -math.sin(tilt), math.cos(tilt))
    positions = [tuple(5.0 * k * c for c in across) for k in range(9)]
    view = SimpleNamespace(
        orientation=[1.0, 0.0, 0.0, *down], images=[{"position": p} for p in positions]
    )
    for k, place in enumerate(positions):
        far_in_plane = tuple(p + 80.0 * d for p, d in zip(place, down, strict=True))
        assert nearest(view, far_in_plane) == k + 1


def test_a_read_from_still_pictures_is_marked(client, case):
    said = form(call="benign", confidence="4", submit="1")
    answer = client.post(f"/reading/cases/{case.code}/answer/", said)
    assert answer.status_code == 302
    read = Read.objects.get(assignment=case)
    assert (read.state, read.score, read.is_fallback_view) == ("submitted", 2, True)


def test_an_incomplete_form_is_saved_and_comes_back_with_its_reason(client, case):
    answer = client.post(f"/reading/cases/{case.code}/answer/", form(call="benign", submit="1"))
    assert answer.status_code == 422
    assert "missing or not valid" in answer.content.decode()
    assert Read.objects.get(assignment=case).document["answers"]["call"] == "benign"


def test_a_study_that_does_not_take_still_reads_says_so(db):
    case = start(make_reading_study()).assignments.get(position=1)
    client = Client()
    client.force_login(make_user("expert1"))
    assert client.get(f"/reading/cases/{case.code}/?view=pictures").status_code == 403
    answer = client.post(f"/reading/cases/{case.code}/answer/", form(call="benign"))
    assert answer.status_code == 403
    assert not Read.objects.filter(version__gt=0).exists()


def test_a_png_is_a_png():
    pixels = coloured(np.array([[0.0, 1.0]]), "grey")
    read = np.asarray(Image.open(io.BytesIO(png(pixels))))
    assert read.tolist() == pixels.tolist()


def drawn(client, case, **query):
    answer = client.get(f"/reading/cases/{case.code}/picture.png", query)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_a_ct_picture_shows_the_slice_in_its_window(client, case):
    # the third slice holds stored 200 and 502 in the middle, less 1024: −824 and −522 HU
    seen = drawn(client, case, role="CT", slice=3, lower=-1024, upper=-514)
    assert seen.shape == (64, 64, 3)
    assert seen[0, 0].tolist() == [100, 100, 100]
    assert seen[32, 32].tolist() == [251, 251, 251]


def test_a_whole_body_picture_is_its_own_view(client, case):
    assert drawn(client, case, role="WB-ANT").shape == (64, 32, 3)


def test_a_slice_beyond_the_last_is_refused(client, case):
    address = f"/reading/cases/{case.code}/picture.png?role=SPECT&slice=8"
    assert client.get(address).status_code == 422


def test_without_opacity_the_fused_picture_is_the_ct(client, case):
    look = {"slice": 5, "lower": -1024, "upper": 0}
    ct = drawn(client, case, role="CT", **look)
    assert (drawn(client, case, role="FUSED", opacity=0, **look) == ct).all()
    assert (drawn(client, case, role="FUSED", opacity=1, threshold=0, **look) != ct).any()


@pytest.mark.parametrize("role", ["ct_series", "spect_series"])
def test_uneven_slices_are_shown_one_by_one_and_never_laid_over_each_other(client, case, role):
    """A coordinator may release them as they are; a volume of even steps would put what lies beyond a gap elsewhere."""
    series = getattr(case.lesion, role)
    assert (series.is_volume, series.is_regular) == (True, True)
    why = "Slices are missing between z = 7.5 and 12.5 mm."
    Series.objects.filter(pk=series.pk).update(volume_reason=why)
    document = client.get(f"/reading/cases/{case.code}/document").json()
    named = {s["role"]: (s["volume_ok"], s["volume_reason"]) for s in document["series"]}
    assert named["CT" if role == "ct_series" else "SPECT"] == (False, why)
    assert document["case"]["registration"] == {"ok": False, "reason": why}
    answer = client.get(f"/reading/cases/{case.code}/picture.png?role=FUSED&slice=2")
    assert (answer.status_code, why in answer.content.decode()) == (404, True)
    assert drawn(client, case, role="CT", slice=2).shape == (64, 64, 3)


def test_the_lesion_window_ends_at_the_largest_count_near_the_lesion(client, case):
    document = client.get(f"/reading/cases/{case.code}/document").json()
    spect = next(s for s in document["series"] if s["role"] == "SPECT")
    upper = {p["name"]: p["upper"] for p in spect["presets"]}
    # the last of seven frames lies 12 mm from the lesion: background 600, centre 506
    assert upper["lesion"] == 600.0
    assert upper["half"] == 300.0
