"""What an image may claim (3.3) at the edges of each limit, before anything is decoded."""

import pytest
from pydicom import Dataset

from portal.archive.decode import shape_of
from portal.archive.refusals import SENTENCES, Refusal

LE, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"


def claim(rows: object, columns: object, frames: object = None, samples: int = 1, bits: int = 16, **more: object) -> Dataset:  # fmt: skip
    ds = Dataset()
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsAllocated = rows, columns, samples, bits
    if frames is not None:
        ds.NumberOfFrames = frames
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    ("size", "fits"),
    [
        ((1, 1), True), ((4096, 4096), True), ((4097, 1), False), ((1, 4097), False), ((0, 5), False), ((5, 0), False),
        ((65535, 65535), False), ((1, 1, 1), True), ((1, 1, 4096), True), ((1, 1, 4097), False), ((1, 1, 0), False),
        ((1, 1, -1), False), ((1, 1, 2_000_000_000), False), ((1, 1, ""), True),  # without a number it is one
        ((512, 512, 4096), True),  # 2 GiB exactly
        ((512, 513, 4096), False), ((4096, 4096, 64), True), ((4096, 4096, 65), False),
        ((4096, 4096, 128, 1, 8), True), ((4096, 4096, 129, 1, 8), False), ((4096, 4096, 32, 1, 32), True),
        ((4096, 4096, 33, 1, 32), False), ((4096, 4096, 42, 3, 8), True), ((4096, 4096, 43, 3, 8), False),
        ((4096, 4096, 128, 1, 1), True),  # a bit is counted as the byte that it becomes
        ((4096, 4096, 129, 1, 1), False),
    ],
)  # fmt: skip
def test_sizes_are_checked_at_their_edges(size, fits):
    ds = claim(*size)
    if fits:
        assert (shape_of(ds, LE).rows, shape_of(ds, LE).columns) == size[:2]
        return
    with pytest.raises(Refusal) as refusal:
        shape_of(ds, LE)
    frames = size[2] if len(size) > 2 else 1
    assert refusal.value.sentence == (
        f"The image claims {size[0]} x {size[1]} x {frames}; allowed are 4096 x 4096 x 4096 and 2 GiB."
    )
    assert refusal.value.reason == 0xA900


@pytest.mark.parametrize("samples", [0, 2, 4, 65535])
def test_a_pixel_has_one_sample_or_three(samples):
    with pytest.raises(Refusal) as refusal:
        shape_of(claim(6, 5, samples=samples), LE)
    assert (refusal.value.reason, refusal.value.sentence) == (
        0xA900,
        f"The image claims 6 x 5 x 1 with {samples} samples a pixel; allowed are 4096 x 4096 x 4096 and 2 GiB.",
    )


@pytest.mark.parametrize("samples", [1, 3])
def test_one_sample_and_three_are_taken(samples):
    assert shape_of(claim(6, 5, samples=samples), LE).samples == samples


def test_without_a_number_of_samples_it_is_one():
    ds = claim(6, 5)
    del ds.SamplesPerPixel
    assert shape_of(ds, LE).samples == 1


@pytest.mark.parametrize("bits", [0, 2, 4, 7, 10, 12, 24, 40, 128, 65535])
def test_other_numbers_of_bits_are_no_image(bits):
    with pytest.raises(Refusal) as refusal:
        shape_of(claim(6, 5, 2, bits=bits), LE)
    assert (refusal.value.reason, refusal.value.sentence) == (
        0xA900, f"The image claims 6 x 5 x 2 of {bits} bits; allowed are 4096 x 4096 x 4096 and 2 GiB.",
    )  # fmt: skip


@pytest.mark.parametrize("bits", [1, 8, 16, 32, 64])
def test_images_of_these_bits_are_read(bits):
    """Those of 1 and 64 to be held, which classify decides."""
    assert shape_of(claim(8, 8, bits=bits), LE).bits == bits


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated"])
def test_without_its_sizes_there_is_no_image(keyword):
    ds = claim(2, 2)
    delattr(ds, keyword)
    with pytest.raises(Refusal) as refusal:
        shape_of(ds, LE)
    assert refusal.value.sentence == f"There is no image in this file ({keyword} is missing)."


# bytes of a native frame, by hand
@pytest.mark.parametrize(
    ("ds", "syntax", "n"),
    [
        (claim(6, 5), LE, 60), (claim(6, 5, bits=8), LE, 30), (claim(6, 5, bits=32), LE, 120),
        (claim(6, 5, samples=3, bits=8), LE, 90), (claim(6, 5, 7), LE, 60),
        (claim(6, 4, samples=3, bits=8, PhotometricInterpretation="YBR_FULL_422"), LE, 48),
        (claim(6, 4, samples=3, bits=8, PhotometricInterpretation="YBR_FULL_422"), RLE, 72),  # decoded it is whole
        (claim(8, 8, bits=1), LE, 8),
    ],
)  # fmt: skip
def test_a_native_frame_has_so_many_bytes(ds, syntax, n):
    assert shape_of(ds, syntax).frame_bytes == n


# 3.4, the column h
REASONS = {
    0xC000: ["empty", "not_dicom", "header", "cut", "nested", "unsafe_name", "locked_zip", "uid", "frame", "synthetic"],
    0xA900: ["short_pixels", "sizes", "no_image"], 0xA700: ["inflated", "too_large", "disk"], 0xC122: ["syntax"],
    0x0122: ["class"], 0x0111: ["conflict"], 0xA901: ["other_exam"], 0x0110: ["stopped", "archive_down", "archive_damaged"],
}  # fmt: skip


@pytest.mark.parametrize(("reason", "code"), [(r, c) for r, codes in REASONS.items() for c in codes])  # fmt: skip
def test_each_refusal_has_the_failure_reason_of_the_specification(reason, code):
    assert SENTENCES[code][0] == reason


def test_what_is_filled_into_a_sentence_is_cut_short():
    """A file may name itself at any length; the report and the log stay readable."""
    said = Refusal("class", uid="9" * 5_000).sentence
    assert said == f"{'9' * 120} is not an image class this portal knows."
