"""Pictures (7.6): the windows of PS3.3 C.11.2.1.2 by hand, what a query may ask, and which part is shown."""

import io

import numpy as np
import pytest
from django.http import QueryDict
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from portal.archive import packs
from portal.archive.dicomweb.header import Image, put
from portal.archive.dicomweb.rendered import (
    FUNCTIONS,
    Scale,
    Shown,
    Window,
    displayed,
    fitted,
    kind_of,
    middle,
    parse,
    render,
    table,
    windowed,
)
from portal.archive.frames import BadRequest, Location, NotAcceptable
from portal.archive.packs import Extent, Spooled
from portal.errors import NotFound

LE = "1.2.840.10008.1.2.1"
NUMBERS = "window, viewport and quality hold numbers."
FINITE = "window, viewport and quality hold finite numbers."
WINDOW = "window is centre,width[,linear|linear-exact|sigmoid]."
VIEWPORT = "viewport is width,height[,x,y,width,height] of at most 4096 pixels."
QUALITY = "quality is a whole number from 1 to 100."
PART = "The part of the picture lies inside it."


# by hand: y = 255((x - (c - 0.5))/(w - 1) + 0.5); C = 40, W = 400 is the abdomen of every textbook
@pytest.mark.parametrize(
    ("function", "centre", "width", "x", "y"),
    [
        ("linear", 40, 400, -160.0, 0.0),  # c - 0.5 - (w - 1)/2 = -160
        ("linear", 40, 400, 239.0, 255.0),  # c - 0.5 + (w - 1)/2 = 239
        ("linear", 40, 400, 39.5, 127.5),
        ("linear", 40, 400, -161.0, 0.0),
        ("linear", 40, 400, 5000.0, 255.0),
        ("linear", 2048, 4096, 0.0, 0.0),  # C.11.2.1.2.1: 0 and 4095 are the ends of this window
        ("linear", 2048, 4096, 4095.0, 255.0),
        ("linear", 0, 100, -50.0, 0.0),
        ("linear", 0, 100, 49.0, 255.0),
        ("linear", 100, 1, 99.5, 0.0),  # a step just above c - 0.5
        ("linear", 100, 1, 99.6, 255.0),
        ("linear-exact", 40, 400, -160.0, 0.0),
        ("linear-exact", 40, 400, 240.0, 255.0),
        ("linear-exact", 40, 400, 40.0, 127.5),
        ("linear-exact", 40, 400, 140.0, 191.25),
        ("linear-exact", 0, 1, 0.5, 255.0),
        ("sigmoid", 40, 400, 40.0, 127.5),
        ("sigmoid", 40, 400, 140.0, 255 / (1 + np.exp(-1))),  # 186.4249
        ("sigmoid", 40, 400, -60.0, 255 / (1 + np.exp(1))),
        ("sigmoid", 0, 1, 1e6, 255.0),
        ("sigmoid", 0, 1, -1e6, 0.0),
    ],
)  # fmt: skip
def test_a_value_is_shown_as_its_function_says(function, centre, width, x, y):
    found = windowed(np.array([x]), Window(centre, width, function))
    assert found[0] == pytest.approx(y, abs=1e-9)


windows = st.builds(
    Window, st.floats(-3000, 3000), st.floats(1, 6000), st.sampled_from(FUNCTIONS)
)  # fmt: skip


@given(windows, st.lists(st.floats(-1e5, 1e5), min_size=2, max_size=20))
def test_a_larger_value_is_never_darker_and_all_stay_in_0_to_255(window, values):
    shown = windowed(np.sort(np.array(values)), window)
    assert (np.diff(shown) >= 0).all()
    assert shown.min() >= 0
    assert shown.max() <= 255


@given(windows, st.floats(0, 1e4))
def test_the_sigmoid_and_the_exact_window_are_symmetric_about_their_centre(window, distance):
    if window.function == "linear":
        return
    pair = windowed(np.array([window.centre - distance, window.centre + distance]), window)
    assert pair.sum() == pytest.approx(255, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("window=1", WINDOW), ("window=1,2,3,4", WINDOW), ("window=1,2,cubic", WINDOW), ("window=", WINDOW),
        ("window=a,2", NUMBERS), ("window=1,", NUMBERS), ("window=nan,2", FINITE), ("window=1,inf", FINITE),
        ("window=1,1e999", FINITE), ("window=1,0", "The width of a window is at least 1."),
        ("window=1,0.99", "The width of a window is at least 1."), ("window=1,-5", "The width of a window is at least 1."),
        ("viewport=1", VIEWPORT), ("viewport=1,2,3", VIEWPORT), ("viewport=1,2,3,4,5", VIEWPORT), ("viewport=0,5", VIEWPORT),
        ("viewport=5,-1", VIEWPORT), ("viewport=4097,10", VIEWPORT), ("viewport=10,4097", VIEWPORT), ("viewport=1.5,2", VIEWPORT),
        ("viewport=a,b", NUMBERS), ("viewport=", NUMBERS), ("viewport=9,9,-1,0,5,5", PART), ("viewport=9,9,0,0,0,5", PART),
        ("viewport=9,9,0,0,5,0.5", PART), ("viewport=9,9,nan,0,5,5", FINITE),
        ("quality=0", QUALITY), ("quality=101", QUALITY), ("quality=", QUALITY), ("quality=9.5", QUALITY), ("quality=-1", QUALITY),
        ("quality=high", QUALITY), ("quality=%C2%B2", QUALITY), ("quality=00000000199", QUALITY), ("quality=1234567890", QUALITY),
        ("annotation=patient", "Nothing is ever written into a picture."), ("annotation=", "Nothing is ever written into a picture."),
    ],
)  # fmt: skip
def test_a_malformed_question_is_a_bad_request_with_its_sentence(text, sentence):
    with pytest.raises(BadRequest) as refusal:
        parse(QueryDict(text))
    assert (str(refusal.value), refusal.value.status) == (sentence, 400)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", Shown(None, None, (), 90)),
        ("window=40,400", Shown(Window(40, 400), None, (), 90)),
        ("window=40,400,linear", Shown(Window(40, 400, "linear"), None, (), 90)),
        ("window=40.5,1,Linear-Exact", Shown(Window(40.5, 1, "linear-exact"), None, (), 90)),
        ("window=-600,1500,SIGMOID", Shown(Window(-600, 1500, "sigmoid"), None, (), 90)),
        ("viewport=4096,1", Shown(None, (4096, 1), (), 90)),
        ("viewport=64,64,1,2,3,4", Shown(None, (64, 64), (1, 2, 3, 4), 90)),
        ("quality=1", Shown(None, None, (), 1)),
        ("quality=100&window=0,1", Shown(Window(0, 1), None, (), 100)),
    ],
)
def test_what_a_query_may_ask(text, shown):
    assert parse(QueryDict(text)) == shown


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "JPEG"), ("*/*", "JPEG"), ("image/*", "JPEG"), ("image/jpeg", "JPEG"), ("image/png", "PNG"), ("IMAGE/PNG", "PNG"),
        ("image/png;q=0.5, image/jpeg;q=0.4", "PNG"), ("image/png;q=0.4, image/jpeg;q=0.5", "JPEG"), ("text/html, image/png", "PNG"),
        ("image/gif", None), ("application/json", None), ("image/png;q=0", None), ("video/mp4, text/html", None),
    ],
)  # fmt: skip
def test_a_picture_is_jpeg_or_png(accept, kind):
    request = RequestFactory().get("/x", headers={"accept": accept} if accept else {})
    if kind is None:
        with pytest.raises(
            NotAcceptable, match=r"Pictures are answered as image/jpeg or image/png\."
        ):
            kind_of(request)
    else:
        assert kind_of(request) == kind


@pytest.mark.parametrize(
    ("size", "viewport", "expected"),
    [
        ((100, 50), (50, 50), (50, 25)), ((50, 100), (50, 50), (25, 50)), ((100, 100), (200, 300), (200, 200)),
        ((100, 50), (100, 50), (100, 50)), ((4000, 1), (10, 10), (10, 1)), ((5, 6), (128, 128), (107, 128)),
    ],
)  # fmt: skip
def test_a_picture_fits_the_viewport_and_keeps_its_aspect(size, viewport, expected):
    assert fitted(Picture.new("L", size), Shown(None, viewport, (), 90)).size == expected


def test_a_part_is_cut_from_where_it_is_asked():
    picture = Picture.fromarray(np.arange(20, dtype=np.uint8).reshape(4, 5))
    part = fitted(picture, Shown(None, (2, 3), (1, 1, 2, 3), 90))
    assert np.asarray(part).tolist() == [[6, 7], [11, 12], [16, 17]]


@pytest.mark.parametrize("part", [(4, 0, 2, 1), (0, 3, 1, 2), (0, 0, 6, 1), (5, 4, 1, 1)])
def test_a_part_beyond_the_edge_is_a_bad_request(part):
    with pytest.raises(BadRequest, match=PART):
        fitted(Picture.new("L", (5, 4)), Shown(None, (9, 9), part, 90))


@pytest.fixture
def image(tmp_path, settings):
    """A picture of given pixels, in a pack of its own."""
    settings.ARCHIVE_DIR = tmp_path / "archive"
    packs.open_packs.forget()

    def made(frames: np.ndarray, **elements: object) -> Image:
        name, spool = packs.new_folder(), tmp_path / "spool"
        spool.write_bytes(frames.tobytes())
        size = frames[0].nbytes
        rows = [Spooled(spool, k * size, size) for k in range(len(frames))]
        extents = packs.append(packs.made_folder(name), packs.NATIVE, rows, LE, after=0)
        found: dict = {}
        values = {
            "Rows": frames.shape[1], "Columns": frames.shape[2], "BitsAllocated": 8 * frames.dtype.itemsize,
            "PixelRepresentation": int(frames.dtype.kind == "i"), "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2", "WindowCenter": 128, "WindowWidth": 256, **elements,
        }  # fmt: skip
        for keyword, value in values.items():
            put(found, keyword, value)
        return Image(("1", "2", "3"), found, Location(name, LE, tuple(extents), ()))

    return made


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<i2", "<i4"])
def test_eight_bits_in_their_own_window_are_themselves(image, dtype):
    """C = 128, W = 256 is the identity on 0..255."""
    values = np.array([[[0, 1, 100], [127, 200, 255]]], dtype=dtype)
    assert displayed(image(values), 0, None).tolist() == values[0].tolist()


@given(
    stored=st.lists(st.integers(0, 65535), min_size=1, max_size=50), slope=st.floats(-3, 3), intercept=st.floats(-2000, 2000),
    centre=st.floats(-3000, 3000), width=st.integers(1, 5000), function=st.sampled_from(FUNCTIONS),
    dtype=st.sampled_from(["<u2", "<i2", "|u1", "|i1"]), is_inverted=st.booleans(),
)  # fmt: skip
def test_a_stored_value_looked_up_is_the_one_worked_out(
    stored, slope, intercept, centre, width, function, dtype, is_inverted
):
    """8 and 16 bits go by a table of all values; it says the same as the formula for each."""
    scale = Scale(slope, intercept, Window(centre, width, function), is_inverted)
    bits = np.array(stored, dtype="<u2").astype(dtype.replace("i", "u"))
    assert table(scale, dtype)[bits].tolist() == scale.shown(bits.view(dtype)).tolist()


def test_monochrome1_is_inverted(image):
    values = np.array([[[0, 100, 255]]], dtype="u1")
    found = displayed(image(values, PhotometricInterpretation="MONOCHROME1"), 0, None)
    assert found.tolist() == [[255, 155, 0]]


def test_the_window_lies_over_modality_values(image):
    """Stored 1024 with intercept -1024 is 0 HU, the middle of a window about 0.5."""
    one = image(np.array([[[0, 1024, 2048]]], dtype="<i2"), RescaleSlope=1, RescaleIntercept=-1024)
    assert displayed(one, 0, Window(0.5, 256)).tolist() == [[0, 128, 255]]


def test_colour_is_shown_as_it_is(image):
    pixels = np.arange(12, dtype="u1").reshape(1, 2, 6)
    one = image(pixels, Columns=2, SamplesPerPixel=3, PhotometricInterpretation="RGB")
    assert displayed(one, 0, None).tolist() == pixels.reshape(2, 2, 3).tolist()


def test_colour_by_planes_is_put_together(image):
    pixels = np.arange(12, dtype="u1").reshape(1, 2, 6)
    one = image(
        pixels, Columns=2, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=1
    )
    planes = pixels.reshape(3, 2, 2)
    assert displayed(one, 0, None).tolist() == np.moveaxis(planes, 0, -1).tolist()


def test_halved_chroma_is_shown_in_its_colours(image):
    """Grey, then the primary red of JFIF (Y 76, Cb 85, Cr 255), as Pillow turns them."""
    pixels = np.array([[[100, 200, 128, 128, 76, 76, 85, 255]]], dtype="u1")
    one = image(pixels, Columns=4, SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL_422")
    whole = [(100, 128, 128), (200, 128, 128), (76, 85, 255), (76, 85, 255)]
    other = Picture.frombytes("YCbCr", (4, 1), bytes(v for p in whole for v in p)).convert("RGB")
    found = displayed(one, 0, None).astype(int)
    assert np.abs(found - np.asarray(other).astype(int)).max() <= 1
    assert found[0, 0].tolist() == [100, 100, 100]
    assert found[0, 2, 0] > 250 > 5 > found[0, 2, 1]


def test_pixels_of_another_size_than_the_header_says_are_no_picture(image):
    one = image(np.zeros((1, 2, 2), dtype="u1"), Columns=3)
    with pytest.raises(NotFound):
        displayed(one, 0, None)


@pytest.mark.parametrize(("frames", "expected"), [(1, 0), (2, 1), (3, 1), (4, 2), (64, 32)])
def test_the_middle_frame_stands_for_many(frames, expected):
    one = Image(("1", "2", "3"), {}, Location("f", LE, (Extent(0, 1),) * frames, ()))
    assert middle([one]) == (one, expected)


def test_the_middle_is_counted_over_all_images_and_nothing_has_none():
    ones = [Image(("1", "2", str(k)), {}, Location("f", LE, (Extent(0, 1),), ())) for k in range(5)]
    assert middle(ones) == (ones[2], 0)
    with pytest.raises(NotFound):
        middle([])


@pytest.mark.parametrize("frame", [0, 3, 999])
def test_a_frame_that_is_not_there_is_not_found(image, frame):
    one = image(np.zeros((2, 2, 2), dtype="u1"))
    with pytest.raises(NotFound):
        render(RequestFactory().get("/x"), [one], frame, is_thumbnail=False)


@pytest.mark.parametrize(
    ("is_thumbnail", "query", "size"),
    [(False, "", (300, 200)), (True, "", (128, 85)), (True, "?viewport=30,30", (30, 20)), (False, "?viewport=600,600", (600, 400))],
)  # fmt: skip
def test_a_thumbnail_has_128_pixels_on_its_long_side(image, is_thumbnail, query, size):
    one = image(np.zeros((1, 200, 300), dtype="u1"))
    answer = render(RequestFactory().get(f"/x{query}"), [one], None, is_thumbnail=is_thumbnail)
    picture = Picture.open(io.BytesIO(answer.content))
    assert (picture.size, picture.format, answer["Content-Type"]) == (size, "JPEG", "image/jpeg")


def test_png_keeps_every_grey_value_and_nothing_is_written_beside_it(image):
    values = np.arange(256, dtype="u1").reshape(1, 16, 16)
    request = RequestFactory().get("/x", headers={"accept": "image/png"})
    answer = render(request, [image(values)], 1, is_thumbnail=False)
    picture = Picture.open(io.BytesIO(answer.content))
    assert np.asarray(picture).tolist() == values[0].tolist()
    assert picture.info == {}
