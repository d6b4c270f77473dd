"""The lesion's position, picked in the images: a click becomes millimetres, only a coordinator keeps them."""

import io
import re

import numpy as np
import pytest
from django.http import QueryDict
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from portal.audit.models import AuditEvent
from portal.errors import Invalid
from portal.study.models import Lesion, Study
from radiomics.image import Slice, Volume
from readers.picking import Axial, Coronal, point_of, sheet, sized
from tests.cohort import make_user
from tests.readers.builders import make_reading_study

X, Y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
REASON = "Position picked in the images"


def axial(rows=4, columns=8, spacing=(2.0, 1.0)):
    plane = Slice(np.zeros((rows, columns)), (10.0, 20.0, 30.0), X, Y, spacing)
    return sized(
        Axial(plane), np.zeros((rows, columns, 3), dtype=np.uint8), spacing[0] / spacing[1]
    )


def test_a_picture_is_as_high_and_wide_as_the_patient_is():
    # 8 columns of 1 mm and 4 rows of 2 mm: a square, 53 page pixels to a column
    shown = axial()
    assert (shown.width, shown.height) == (8 * 53, 8 * 53)


def test_the_middle_of_an_image_pixel_is_its_centre_in_the_patient():
    shown = axial()
    # page pixels 0..52 are column 0; their middle is 26: centre of column 0, x = 10
    assert shown.at_click(26, 52.5)[0] == pytest.approx(10.0)
    assert shown.at_click(26 + 53, 52.5)[0] == pytest.approx(11.0)
    assert shown.at_click(26, 52.5)[1] == pytest.approx(20.0)
    assert shown.at_click(26, 52.5 + 106)[1] == pytest.approx(22.0)
    assert shown.at_click(26, 26)[2] == 30.0


@settings(max_examples=60)
@given(x=st.integers(0, 423), y=st.integers(0, 423))
def test_the_cross_is_drawn_where_was_clicked(x, y):
    shown = axial()
    picture = shown.drawn(shown.at_click(x, y)).astype(int)
    lit = (picture == (255, 120, 220)).all(axis=2)
    assert lit[y].sum() > 400
    assert lit[:, x].sum() > 400
    assert lit.sum(axis=1).argmax() == y
    assert lit.sum(axis=0).argmax() == x


def volume():
    positions = np.array([[0.0, 0.0, 4.0 * k] for k in range(5)])
    pixels = np.zeros((5, 6, 7))
    pixels[3, 2, 5] = 9.0
    return Volume(pixels, (0.0, 0.0, 0.0), X, Y, (2.0, 2.0), 4.0, positions)


def test_the_coronal_projection_has_the_head_above_and_keeps_the_depth():
    plane = Coronal(volume(), depth=2.0)
    # the top row is the last slice, z = 16; column 5 is x = 10; the depth of row 2 is y = 4
    assert plane.to_patient((0.0, 5.0)) == (10.0, 4.0, 16.0)
    assert plane.to_patient((4.0, 0.0)) == (0.0, 4.0, 0.0)
    assert plane.to_pixel((10.0, 4.0, 12.0)) == pytest.approx((1.0, 5.0))


pytestmark = [pytest.mark.urls("portal.urls")]


@pytest.fixture
def lesion(db) -> Lesion:
    study = make_reading_study(n_lesions=1, state="SCREENING")
    return Lesion.objects.of_study(study).get()


def address(lesion: Lesion) -> str:
    return f"/studies/{lesion.patient.study.code}/lesions/{lesion.code}/position/"


def signed_in(name: str = "coordinator") -> Client:
    client = Client()
    client.force_login(make_user(name))
    return client


def test_without_a_position_the_middle_of_the_spect_is_shown(lesion):
    Lesion.objects.filter(pk=lesion.pk).update(
        is_included=False, slot=None, x_mm=None, y_mm=None, z_mm=None
    )
    lesion.refresh_from_db()
    # the SPECT of the cast is centred on (18, 70) and has its middle slice at z = 30
    assert point_of(lesion, QueryDict("")) == pytest.approx((18.0, 70.0, 30.0))


def test_a_click_moves_the_point_in_the_plane_of_its_picture_alone(lesion):
    before = point_of(lesion, QueryDict("x=18&y=70&z=30"))
    shown = sheet(lesion, "CT", before)
    x, y, z = point_of(lesion, QueryDict(f"x=18&y=70&z=30&CT.x={shown.width - 1}&CT.y=0"))
    assert z == pytest.approx(30.0)
    # the outer edge of a CT of 64 pixels of 1 mm about (18, 70), within a page pixel
    assert (x, y) == pytest.approx((18 + 32, 70 - 32), abs=0.15)


def test_a_click_on_the_projection_moves_along_the_body(lesion):
    shown = sheet(lesion, "CORONAL", (18.0, 70.0, 30.0))
    x, y, z = point_of(
        lesion, QueryDict(f"x=18&y=70&z=30&CORONAL.x={shown.width // 2}&CORONAL.y=0")
    )
    assert y == pytest.approx(70.0)
    assert x == pytest.approx(18.0, abs=0.5)
    assert z == pytest.approx(30 + 4.0 * 3.5, abs=0.2)


@pytest.mark.parametrize(
    ("step", "z"), [("CT 1", 32.5), ("CT -1", 27.5), ("CT 5", 35.0), ("SPECT -1", 26.0)]
)
def test_a_step_goes_to_another_slice_and_never_beyond_the_last(lesion, step, z):
    moved = point_of(lesion, QueryDict(f"x=18&y=70&z=30&step={step.replace(' ', '+')}"))
    assert moved == pytest.approx((18.0, 70.0, z))


@pytest.mark.parametrize(
    "query", ["x=nan", "x=1e9", "CT.x=-1&CT.y=2", "step=PET+1", "step=CT+2", "z=up"]
)
def test_a_request_that_means_nothing_is_refused(lesion, query):
    with pytest.raises(Invalid):
        point_of(lesion, QueryDict(query))


def test_the_page_shows_the_point_and_a_picture_of_each_series(lesion):
    page = signed_in().get(address(lesion), {"x": "20", "y": "60", "z": "30"}).content.decode()
    assert re.findall(r'<input type="image" name="(\w+)"', page) == ["CT", "SPECT", "CORONAL"]
    assert "Set the position to 20.0, 60.0, 30.0 mm" in page


@pytest.mark.parametrize("pane", ["CT", "SPECT", "CORONAL"])
def test_a_picture_has_the_size_that_the_page_gives_it(lesion, pane):
    page = signed_in().get(address(lesion)).content.decode()
    size = re.search(rf'name="{pane}"[^>]* width="(\d+)" height="(\d+)"', page)
    answer = signed_in().get(address(lesion) + "picture.png", {"pane": pane})
    assert size is not None
    assert Image.open(io.BytesIO(answer.content)).size == (int(size[1]), int(size[2]))


def test_a_kept_point_is_the_lesions_position_with_one_row_of_the_trail(lesion):
    answer = signed_in().post(
        address(lesion), {"x": "20.5", "y": "61", "z": "32.5", "reason": REASON}
    )
    assert answer.status_code == 302
    lesion.refresh_from_db()
    assert lesion.world_mm == (20.5, 61.0, 32.5)
    assert AuditEvent.objects.filter(verb="lesion.amend").count() == 1


def test_without_a_reason_nothing_is_kept(lesion):
    before = lesion.world_mm
    answer = signed_in().post(address(lesion), {"x": "20.5", "y": "61", "z": "32.5", "reason": " "})
    assert answer.status_code in {400, 422}
    assert "reason" in answer.content.decode()
    lesion.refresh_from_db()
    assert lesion.world_mm == before


def test_once_readers_work_no_position_moves(lesion):
    Study.objects.filter(pk=lesion.patient.study_id).update(state="READING")
    answer = signed_in().post(address(lesion), {"x": "1", "y": "2", "z": "3", "reason": REASON})
    assert answer.status_code == 409
    lesion.refresh_from_db()
    assert lesion.world_mm == (18.0, 70.0, 30.0)


@pytest.mark.promise("B6")
@pytest.mark.parametrize("name", ["expert1", "delineator1", "monitor", "outsider"])
def test_nobody_but_a_coordinator_finds_the_page(lesion, name):
    client = signed_in(name)
    assert client.get(address(lesion)).status_code == 404
    assert client.get(address(lesion) + "picture.png").status_code == 404
    assert client.post(address(lesion), {"reason": REASON}).status_code == 404


def test_a_lesion_without_images_says_what_to_do(lesion):
    Lesion.objects.filter(pk=lesion.pk).update(
        is_included=False,
        slot=None,
        ct_series=None,
        spect_series=None,
        x_mm=None,
        y_mm=None,
        z_mm=None,
    )
    answer = signed_in().get(address(lesion))
    assert answer.status_code == 409
    assert "Choose a CT or SPECT series" in answer.content.decode()
