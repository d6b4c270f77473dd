"""The table of 7.5 row by row: which form of frames an Accept header asks for."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.archive.accept import TYPED, Wanted, alternatives, split_outside_quotes, wanted_frames

LE, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
RLE, J2K, JLS, JLS_NEAR, JPEG = (
    f"1.2.840.10008.1.2.{tail}" for tail in ("5", "4.90", "4.80", "4.81", "4.50")
)
OCTETS = 'multipart/related; type="application/octet-stream"'
NATIVE, SINGLE = Wanted(LE, is_single=False), Wanted(LE, is_single=True)
MANY, ONE = Wanted(RLE, is_single=False), Wanted(RLE, is_single=True)


# of a series that is stored as RLE, with its native frames beside it
@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("", NATIVE),
        ("   ", NATIVE),
        ("*/*", NATIVE),
        ("multipart/related", NATIVE),
        ('multipart/related; type="*/*"', NATIVE),  # dicomweb-client's own
        ("multipart/related; type=*/*", NATIVE),
        (OCTETS, NATIVE),
        ("multipart/related; type=application/octet-stream", NATIVE),
        # cornerstone's literal form
        ("multipart/related; type=application/octet-stream; transfer-syntax=*", MANY),
        (f"{OCTETS}; transfer-syntax=*", MANY),
        (f'{OCTETS}; transfer-syntax="*"', MANY),
        (f"{OCTETS}; transfer-syntax={RLE}", MANY),
        (f"{OCTETS}; transfer-syntax={LE}", NATIVE),
        (f"{OCTETS}; transfer-syntax={IMPLICIT}", NATIVE),
        (f"{OCTETS}; transfer-syntax={J2K}", None),
        (f"{OCTETS}; transfer-syntax={J2K}, {OCTETS}", NATIVE),
        (f"{OCTETS}; transfer-syntax={J2K}, */*", NATIVE),
        ("application/octet-stream", SINGLE),
        ("application/octet-stream; transfer-syntax=*", ONE),
        (f"application/octet-stream; transfer-syntax={LE}", SINGLE),
        (f"application/octet-stream; transfer-syntax={RLE}", ONE),
        (f"application/octet-stream; transfer-syntax={J2K}", None),
        ('multipart/related; type="image/dicom-rle"', MANY),
        ("multipart/related; type=image/dicom-rle", MANY),
        (f'multipart/related; type="image/dicom-rle"; transfer-syntax={RLE}', MANY),
        ('multipart/related; type="image/dicom-rle"; transfer-syntax=*', MANY),
        (f'multipart/related; type="image/dicom-rle"; transfer-syntax={J2K}', None),
        ('multipart/related; type="image/jp2"', None),
        ('multipart/related; type="image/jp2", multipart/related; type="image/dicom-rle"', MANY),
        (f'multipart/related; type="image/jls", {OCTETS}; transfer-syntax=*', MANY),
        # others alone
        ("video/mpeg", None),
        ("image/jpeg", None),
        ("image/dicom-rle", None),
        ("application/dicom", None),
        ('multipart/related; type="application/dicom"', None),
        ("text/html", None),
        ("application/*", None),
        ("video/mp4, */*", NATIVE),
        # leniently parsed: case, order of parameters, spaces
        ("MULTIPART/RELATED; TYPE=APPLICATION/OCTET-STREAM; TRANSFER-SYNTAX=*", MANY),
        ("multipart/related;transfer-syntax=*;type=application/octet-stream", MANY),
        ("multipart/related ; transfer-syntax = * ; type = application/octet-stream", MANY),
        ("multipart/related; type=application/octet-stream; transfer-syntax=*; boundary=x", MANY),
        # q
        (f"{OCTETS};q=0.1, application/octet-stream;q=0.9", SINGLE),
        (f"application/octet-stream;q=0.1, {OCTETS};q=0.9", NATIVE),
        (f"{OCTETS}; transfer-syntax=*; q=0.5, */*; q=0.4", MANY),
        ("*/*;q=0.9, application/octet-stream", SINGLE),  # without q it is 1
        ("*/*;q=0", None),
        (f"*/*;q=0, {OCTETS}", NATIVE),
        ("application/octet-stream, */*", SINGLE),  # equal: the first
        ("*/*, application/octet-stream", NATIVE),
        # what cannot be read is skipped
        (f"*/*;q=high, {OCTETS}; transfer-syntax=*", MANY),
        ("*/*;q=nan, application/octet-stream", SINGLE),
        ("*/*;q=, application/octet-stream", SINGLE),
        (";;;, application/octet-stream", SINGLE),
        ("rubbish, application/octet-stream", SINGLE),
        ("rubbish", None),
        (",,,", None),
        ('multipart/related; type="application/octet-stream, */*', None),  # a quote that never ends
    ],
)  # fmt: skip
def test_the_form_that_an_accept_header_asks_for(header, form):
    assert wanted_frames(header, RLE, True) == form


@pytest.mark.parametrize(
    ("header", "form"),
    [
        (f"{OCTETS}; transfer-syntax=*", NATIVE),
        ("application/octet-stream; transfer-syntax=*", SINGLE),
        (f"{OCTETS}; transfer-syntax={LE}", NATIVE),
        (f"{OCTETS}; transfer-syntax={RLE}", None),
        ('multipart/related; type="image/dicom-rle"', None),
        ("", NATIVE),
        ("*/*", NATIVE),
    ],
)
def test_of_an_uncompressed_series_only_the_native_form_is_offered(header, form):
    assert wanted_frames(header, LE, False) == form
    # a compressed syntax in the row without stored frames offers none either
    assert wanted_frames(header, RLE, False) == form


# PS3.18 table 8.7.3-4: which syntaxes each media type may carry
CARRIED = {
    "image/jls": ("4.80", "4.81"), "image/jp2": ("4.90", "4.91"), "image/jpx": ("4.92", "4.93"),
    "image/jphc": ("4.201", "4.202", "4.203"), "image/jpeg": ("4.50", "4.51", "4.57", "4.70"),
    "image/dicom-rle": ("5",),
}  # fmt: skip
EVERY = sorted(s for tails in CARRIED.values() for s in tails)


@pytest.mark.parametrize("media", CARRIED)
@pytest.mark.parametrize("tail", EVERY)
def test_an_image_type_is_answered_only_where_its_syntax_is_stored(media, tail):
    stored = f"1.2.840.10008.1.2.{tail}"
    found = wanted_frames(f'multipart/related; type="{media}"', stored, True)
    assert found == (Wanted(stored, is_single=False) if tail in CARRIED[media] else None)


def test_every_image_type_is_in_the_table():
    assert set(TYPED) == set(CARRIED)


@pytest.mark.parametrize(
    ("asked", "stored", "is_answered"),
    [(JLS, JLS, True), (JLS_NEAR, JLS_NEAR, True), (JLS, JLS_NEAR, False), (JLS_NEAR, JLS, False), ("*", JLS, True)],
)  # fmt: skip
def test_who_asks_for_lossless_jpeg_ls_is_not_sent_near_lossless(asked, stored, is_answered):
    header = f'multipart/related; type="image/jls"; transfer-syntax={asked}'
    assert (wanted_frames(header, stored, True) is not None) is is_answered


ranges = st.sampled_from(
    [
        ("*/*", NATIVE), ("application/octet-stream", SINGLE), (OCTETS, NATIVE), ("text/html", None),
        (f"{OCTETS}; transfer-syntax=*", MANY), ("video/mpeg", None), ('multipart/related; type="image/jp2"', None),
    ]
)  # fmt: skip


@given(st.lists(st.tuples(ranges, st.integers(0, 1000)), min_size=1, max_size=6))
def test_the_first_acceptable_of_the_highest_q_wins(asked):
    """Looked for a second way: the largest q among those that are offered, and of these the first."""
    header = ", ".join(f"{media}; q={q / 1000:.3f}" for (media, _), q in asked)
    offered = [(q, form) for (_, form), q in asked if form is not None and q > 0]
    best = max((q for q, _ in offered), default=None)
    expected = next((form for q, form in offered if q == best), None)
    assert wanted_frames(header, RLE, True) == expected


@given(st.text(max_size=60))
def test_no_header_breaks_the_parser(header):
    found = wanted_frames(header, RLE, True)
    assert found is None or found.syntax in (LE, RLE)


@given(st.randoms(use_true_random=False))
def test_the_order_of_parameters_says_nothing(rng: random.Random):
    parameters = ["type=application/octet-stream", "transfer-syntax=*", "q=0.7", "boundary=x"]
    rng.shuffle(parameters)
    assert wanted_frames("; ".join(["multipart/related", *parameters]), RLE, True) == MANY


@pytest.mark.parametrize(
    ("text", "mark", "parts"),
    [
        ("a,b", ",", ["a", "b"]), ('"a,b",c', ",", ['"a,b"', "c"]), ("", ",", [""]), (",", ",", ["", ""]),
        ('a;"b;c";d', ";", ["a", '"b;c"', "d"]), ('"a,b', ",", ['"a,b']),
    ],
)  # fmt: skip
def test_a_mark_between_quotes_separates_nothing(text, mark, parts):
    assert split_outside_quotes(text, mark) == parts


@given(st.text('ab,;"', max_size=20), st.sampled_from(",;"))
def test_splitting_loses_nothing(text, mark):
    assert mark.join(split_outside_quotes(text, mark)) == text


def test_an_alternative_has_small_letters_and_no_quotes():
    (found,) = alternatives('Multipart/Related; Type="Image/JLS"; Q=0.25')
    assert (found.media, found.parameters, found.q) == ("multipart/related", {"type": "Image/JLS"}, 0.25)  # fmt: skip


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("application/octet-stream, */*", Wanted(LE, is_single=False)),
        ("application/octet-stream, multipart/related;q=0.1", Wanted(LE, is_single=False)),
        ("application/octet-stream", None),
    ],
)
def test_several_frames_take_the_first_form_that_holds_several(header, form):
    """Section 7.5: 406 only where none of the accepted forms fits."""
    assert wanted_frames(header, LE, False, is_one=False) == form
    assert wanted_frames(header, LE, False) == Wanted(LE, is_single=True)
