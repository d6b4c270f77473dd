"""The page on which a held volume is seen on the CT: pictures of every stacking, and a release of the one seen."""

import io
import re

import numpy as np
import pytest
from django.test import Client
from PIL import Image

from portal.archive.models import Series
from portal.study.models import Lesion
from tests.archive.builders import change, person, pet, slices, take
from tests.archive.test_confirming import (
    HOT,
    MIXED,
    ct,
    held_spect,
    shuffled,
    spect,
    without_nuclide,
)
from tests.cohort import make_lesion, make_patient, make_study
from tests.study.test_pages import sign_in, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.study.urls")]
WHY = "seen fused on the CT, all is well"


@pytest.fixture
def waiting(tmp_path) -> Series:
    make_study(is_synthetic=True)
    take(*ct(tmp_path / "ct"), shuffled(spect(tmp_path / "nm"), MIXED), study_key="bone")
    return held_spect()


def page_of(series: Series) -> str:
    return f"/studies/bone/held/{series.pk}/"


def picture(client: Client, series: Series, **asked) -> np.ndarray:
    answer = client.get(f"{page_of(series)}picture.png", asked)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png"), answer.content
    assert "no-store" in answer["Cache-Control"]
    return np.asarray(Image.open(io.BytesIO(answer.content)), dtype=np.int64)


def forms(page: str) -> list[dict[str, str]]:
    """The hidden fields of each form that releases."""
    found = re.findall(r'<form method="post" class="decision".*?</form>', page, re.DOTALL)
    return [dict(re.findall(r'name="(stacking|beside|mark)" value="([^"]*)"', one)) for one in found]  # fmt: skip


def test_the_held_list_leads_to_the_pictures_of_every_stacking(waiting):
    client = sign_in("coordinator")
    assert f'href="{page_of(waiting)}"' in text_of(client, "/studies/bone/held/")
    page = text_of(client, page_of(waiting))
    assert page.count("picture.png?") == 9  # three stackings in three planes
    assert "Both name the same frame of reference." in page
    assert [one["stacking"] for one in forms(page)] == ["slice1", "frame1", "frames"]


def colour(found: np.ndarray) -> np.ndarray:
    """How far a pixel is from grey: where the SPECT shows."""
    return found.max(axis=2) - found.min(axis=2)


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_only_the_true_stacking_shows_the_hot_spot_on_the_ball(waiting, plane):
    """Through the ball of the CT: its grey disc, and on it the hot voxel, which the other stackings put elsewhere."""
    client = sign_in("coordinator")
    at = {"plane": plane, **dict(zip("xyz", HOT, strict=True))}
    crossed = {}
    for code in ("slice1", "frame1", "frames"):
        shown = picture(client, waiting, stacking=code, opacity=1, **at)
        bare = picture(client, waiting, stacking=code, opacity=0, **at)
        grey = np.where(colour(bare) == 0, bare[:, :, 0], 0)  # without the cross
        ball = np.argwhere(grey == grey.max()).mean(axis=0)
        hot = np.argwhere((shown != bare).any(axis=2))
        crossed[code] = len(hot) > 0 and bool(np.abs(hot.mean(axis=0) - ball).max() < 6)
    assert crossed == {"slice1": True, "frame1": False, "frames": False}


def test_a_release_takes_what_the_form_shows_and_a_reason(waiting):
    client = sign_in("coordinator")
    chosen = forms(text_of(client, page_of(waiting)))[0]
    address = f"{page_of(waiting)}release/"
    assert client.post(address, {**chosen, "reason": "short"}).status_code == 422
    assert client.post(address, {"reason": WHY}).status_code == 409
    assert client.post(address, {**chosen, "mark": "0" * 64, "reason": WHY}).status_code == 409
    assert client.post(address, {**chosen, "stacking": "frames", "reason": WHY}).status_code == 409
    assert Series.objects.get(pk=waiting.pk).state == "held"
    assert client.post(address, {**chosen, "reason": WHY}).status_code == 302
    assert Series.objects.get(pk=waiting.pk).is_volume
    assert client.get(page_of(waiting)).status_code == 404


def test_without_a_ct_there_are_pictures_and_no_release(tmp_path):
    make_study(is_synthetic=True)
    take(shuffled(spect(tmp_path / "nm"), MIXED), study_key="bone")
    series, client = held_spect(), sign_in("coordinator")
    page = text_of(client, page_of(series))
    assert "There is no CT of this patient to see it on" in page
    assert (page.count("picture.png?"), forms(page)) == (9, [])
    assert picture(client, series, stacking="slice1", plane="coronal").std() > 1


def test_slices_on_top_of_each_other_have_nothing_to_release(tmp_path):
    make_study(is_synthetic=True)
    paths = slices(tmp_path, n=4)
    change(paths[3], lambda ds: setattr(ds, "ImagePositionPatient", ["-5", "-6", "-2"]))
    take(*paths, study_key="bone")
    series, client = Series.objects.get(), sign_in("coordinator")
    page = text_of(client, page_of(series))
    assert "make no volume" in page
    assert (page.count("picture.png?"), forms(page)) == (0, [])
    assert client.get(f"{page_of(series)}picture.png").status_code == 409


def test_a_gap_in_a_ct_is_black_in_its_pictures(tmp_path):
    make_study(is_synthetic=True)
    paths = slices(tmp_path, n=9)
    take(*paths[:4], *paths[5:], study_key="bone")
    found = picture(sign_in("coordinator"), Series.objects.get(), plane="coronal", x=-20, y=-6)
    rows = (found.max(axis=2) == 0).all(axis=1)
    assert 0.05 < rows.mean() < 0.25
    assert not rows[: len(rows) // 4].any()


@pytest.mark.parametrize(
    "asked",
    [
        "plane=oblique",
        "stacking=slice1&x=1e9",
        "stacking=slice1&opacity=2",
        "stacking=slice1&z=nan",
    ],
)
def test_what_is_asked_wrongly_is_one_sentence(waiting, asked):
    answer = sign_in("coordinator").get(f"{page_of(waiting)}picture.png?{asked}")
    assert answer.status_code in {409, 422}


def test_a_series_of_somebody_else_is_never_shown_beside(waiting, tmp_path):
    take(*slices(tmp_path / "b", who=person("SYN0002", "2.25.701"), series="2.25.73"), study_key="bone")  # fmt: skip
    other = Series.objects.exclude(exam=waiting.exam).get()
    client = sign_in("coordinator")
    assert client.get(f"{page_of(waiting)}?beside={other.pk}").status_code == 404
    assert client.get(f"{page_of(waiting)}picture.png?stacking=slice1&beside={other.pk}").status_code == 404  # fmt: skip


@pytest.mark.promise("B6")
@pytest.mark.parametrize("name", ["expert1", "delineator1", "analyst", "monitor", "outsider"])
def test_only_coordinators_look(waiting, name):
    client = sign_in(name)
    for address in (page_of(waiting), f"{page_of(waiting)}picture.png?stacking=slice1"):
        assert client.get(address).status_code == 404


def test_another_study_and_another_reason_are_not_found(waiting):
    make_study("knee", is_synthetic=True)
    client = sign_in("coordinator")
    assert client.get(f"/studies/knee/held/{waiting.pk}/").status_code == 404
    Series.objects.filter(pk=waiting.pk).update(reason_code="burned_in")
    for address in (page_of(waiting), f"{page_of(waiting)}picture.png?stacking=slice1"):
        assert client.get(address).status_code == 404


def test_a_lesion_waits_until_its_volume_is_called_spect_or_pet(tmp_path):
    study = make_study(is_synthetic=True)
    paths = pet(tmp_path)
    for path in paths:
        without_nuclide(path)
    take(*paths, study_key="bone")
    series, client = Series.objects.get(), sign_in("coordinator")
    patient = make_patient(study, series.exam.subject)
    lesion = make_lesion(patient, included=False)
    lesion.spect_series = series
    lesion.ct_series.frame_of_reference_uid = series.frame_of_reference_uid
    lesion.ct_series.save()
    lesion.save()
    address = f"/studies/bone/lesions/{lesion.code}/"
    assert "whether the volume of this lesion is SPECT or PET" in text_of(client, address)
    assert "This is SPECT" in text_of(client, f"/studies/bone/patients/{patient.code}/")
    kind = f"/studies/bone/series/{series.pk}/kind/"
    assert client.post(kind, {"label": "MR"}).status_code == 422
    assert client.post(kind, {"label": "SPECT"}).status_code == 302
    assert "This lesion can be included." in text_of(client, address)
    assert "This is SPECT" not in text_of(client, f"/studies/bone/patients/{patient.code}/")


@pytest.fixture
def apart(tmp_path) -> Lesion:
    """A lesion whose CT and SPECT name two frames of reference, though they lie on each other."""
    study = make_study(is_synthetic=True)
    take(*ct(tmp_path / "ct"), spect(tmp_path / "nm"), study_key="bone")
    Series.objects.filter(role="SPECT").update(frame_of_reference_uid="2.25.8")
    series = {one.role: one for one in Series.objects.select_related("exam")}
    patient = make_patient(study, series["CT"].exam.subject)
    lesion = make_lesion(patient, included=False)
    lesion.ct_series, lesion.spect_series = series["CT"], series["SPECT"]
    lesion.x_mm, lesion.y_mm, lesion.z_mm = HOT
    lesion.save()
    return lesion


def test_a_registration_is_confirmed_where_it_is_seen(apart):
    client, address = sign_in("coordinator"), f"/studies/bone/lesions/{apart.code}/"
    assert f'href="{address}fused/"' in text_of(client, address)
    page = text_of(client, f"{address}fused/")
    assert page.count("picture.png?") == 3
    assert "CT and SPECT do not share a frame of reference." in page
    assert 'value="4.0"' in page  # through the lesion
    asked = {"plane": "coronal", **dict(zip("xyz", HOT, strict=True))}
    seen = [
        np.asarray(Image.open(io.BytesIO(client.get(f"{address}fused/picture.png", {**asked, "opacity": o}).content)))
        for o in ("0", "1")
    ]  # fmt: skip
    assert (seen[0] != seen[1]).any()
    assert client.post(f"{address}registration/").status_code == 302
    assert "Registration confirmed by" in text_of(client, f"{address}fused/")
    assert "I have looked" not in text_of(client, f"{address}fused/")


def test_without_two_volumes_there_is_nothing_to_look_at(apart):
    apart.spect_series = None
    apart.save()
    client, address = sign_in("coordinator"), f"/studies/bone/lesions/{apart.code}/fused/"
    for one in (address, f"{address}picture.png"):
        answer = client.get(one)
        assert answer.status_code == 409
        assert "Choose a CT and a SPECT series first" in answer.content.decode()


@pytest.mark.promise("B6")
@pytest.mark.parametrize("name", ["expert1", "delineator1", "monitor", "outsider"])
def test_only_coordinators_see_a_lesion_fused(apart, name):
    client, address = sign_in(name), f"/studies/bone/lesions/{apart.code}/fused/"
    for one in (address, f"{address}picture.png"):
        assert client.get(one).status_code == 404
