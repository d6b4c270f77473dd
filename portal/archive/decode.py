"""Frames of a data set: the stored fragments where compressed, and native little-endian bytes always."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder

from portal.archive import limits
from portal.archive.plain import Readable, raw_of, uid_of
from portal.archive.prescan import DEFLATED, EXPLICIT_BE
from portal.archive.refusals import Refusal

PLUGINS = {
    "1.2.840.10008.1.2.5": "pydicom",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg",
    "1.2.840.10008.1.2.4.203": "pylibjpeg",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.57": "gdcm",
    "1.2.840.10008.1.2.4.70": "gdcm",
    "1.2.840.10008.1.2.4.50": "pillow",
    "1.2.840.10008.1.2.4.51": "pillow",
}
# whose version is recorded: plugins are named by what calls them
PACKAGES = {"pylibjpeg": "pylibjpeg-openjpeg", "gdcm": "python-gdcm", "pillow": "pillow"}
FRAGILE = {"1.2.840.10008.1.2.4.51"}  # 12-bit JPEG Extended: no decoder here reads it
RLE = "1.2.840.10008.1.2.5"
JPEG = frozenset(f"1.2.840.10008.1.2.4.{k}" for k in (50, 51, 57, 70))
# SOF0 to SOF15, but for DHT, JPG and DAC that lie between them
FRAME_HEADERS = frozenset(bytes([k]) for k in range(0xC0, 0xD0) if k not in (0xC4, 0xC8, 0xCC))
LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
PIXELS = ("Rows", "Columns", "BitsAllocated")


@lru_cache(maxsize=64)
def decoder_of(syntax: str) -> str:
    """Name and version of what decodes this syntax here, '' where nothing has to be decoded."""
    plugin = PLUGINS.get(syntax)
    package = PACKAGES.get(plugin, plugin) if plugin else ""
    return f"{package} {version(package)}" if package else ""


@dataclass(frozen=True)
class Shape:
    rows: int
    columns: int
    frames: int
    samples: int
    bits: int
    is_halved: bool = False

    @property
    def frame_bytes(self) -> int:
        """Of a native frame; YBR_FULL_422 keeps two samples per pixel, its chroma being halved."""
        kept = 2 if self.is_halved else self.samples
        return self.rows * self.columns * kept * self.bits // 8


def shape_of(ds: Readable, syntax: str) -> Shape:
    """Sizes as the header claims them, checked before anything is decoded."""
    for keyword in PIXELS:
        if ds.get(keyword) is None:
            raise Refusal("no_image", keyword=keyword)
    rows, columns = int(ds.get("Rows")), int(ds.get("Columns"))
    frames, samples = one_unless_said(ds, "NumberOfFrames"), one_unless_said(ds, "SamplesPerPixel")
    bits = int(ds.get("BitsAllocated"))
    total = rows * columns * frames * samples * max(bits, 8) // 8
    fits = 1 <= rows <= limits.MAX_SIDE and 1 <= columns <= limits.MAX_SIDE
    if not fits or not 1 <= frames <= limits.MAX_FRAMES or total > limits.MAX_PIXEL_BYTES:
        raise Refusal("sizes", r=rows, c=columns, f=frames)
    if samples not in limits.SAMPLES:
        raise Refusal("sizes", r=rows, c=columns, f=f"{frames} with {samples} samples a pixel")
    if bits not in limits.BITS:
        raise Refusal("sizes", r=rows, c=columns, f=f"{frames} of {bits} bits")
    is_native = not uid_of(syntax).is_compressed or syntax == DEFLATED
    photometric = str(ds.get("PhotometricInterpretation", ""))
    is_halved = is_native and samples == 3 and photometric == "YBR_FULL_422"
    return Shape(rows, columns, frames, samples, bits, is_halved)


def one_unless_said(ds: Readable, keyword: str) -> int:
    value = ds.get(keyword)
    return 1 if value in (None, "") else int(value)


def native_frames(ds: Dataset, syntax: str, shape: Shape) -> Iterator[bytes]:
    """Each frame as in Explicit VR Little Endian, in source order."""
    if not uid_of(syntax).is_compressed or syntax == "1.2.840.10008.1.2.1.99":
        yield from sliced(ds, syntax, shape)
        return
    try:
        decoder = get_decoder(uid_of(syntax))
    except NotImplementedError:
        raise Refusal("syntax", name=uid_of(syntax).name) from None
    number = 0
    try:
        more = bits_kept(ds, syntax, shape)
        for array, _ in decoder.iter_array(
            ds, raw=True, decoding_plugin=PLUGINS.get(syntax, ""), **more
        ):
            number += 1
            order = array.dtype.newbyteorder("<")
            yield np.ascontiguousarray(array).astype(order, copy=False).tobytes()
    except Refusal:
        raise
    except Exception as error:
        if number == 0 and syntax in FRAGILE:
            raise Refusal("syntax", name=uid_of(syntax).name) from error
        raise Refusal("frame", k=number + 1) from error


def bits_kept(ds: Dataset, syntax: str, shape: Shape) -> dict[str, Any]:
    """What makes decoders leave bits above the stored ones as they are, as native frames have them.

    JPEG extends signs from the bits of its own stream, as JPEG 2000 and JPEG-LS do in any case.
    """
    if syntax == RLE:
        return {"bits_stored": shape.bits}
    if syntax not in JPEG:
        return {}
    frames = generate_frames(ds.PixelData, number_of_frames=shape.frames)
    widest = min(max(map(precision, frames), default=0), shape.bits)
    return {"bits_stored": widest} if widest > int(ds.get("BitsStored") or shape.bits) else {}


def precision(frame: bytes) -> int:
    """Bits of a sample by the first frame header of a JPEG stream; all where it has none that can be found."""
    at = 2
    while frame[at : at + 1] == b"\xff":
        marker = frame[at + 1 : at + 2]
        if marker == b"\xff":  # fill bytes may stand before a marker
            at += 1
        elif marker in FRAME_HEADERS and len(frame) > at + 4:
            return frame[at + 4]
        else:
            at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return 64


def sliced(ds: Dataset, syntax: str, shape: Shape) -> Iterator[bytes]:
    data, size = pixel_bytes(ds, syntax, shape), shape.frame_bytes
    wanted = size * shape.frames
    if shape.bits == 1:
        wanted = -(-shape.rows * shape.columns * shape.frames // 8)
        if len(data) < wanted:
            raise Refusal("short_pixels", m=len(data), n=wanted)
        yield from one_bit(data, shape)
        return
    if len(data) < wanted:
        raise Refusal("short_pixels", m=len(data), n=wanted)
    for k in range(shape.frames):
        frame = data[k * size : (k + 1) * size]
        if syntax == EXPLICIT_BE and shape.bits > 8:
            order = np.dtype(f">u{shape.bits // 8}")
            frame = np.frombuffer(frame, dtype=order).astype(order.newbyteorder("<")).tobytes()
        yield frame


def pixel_bytes(ds: Dataset, syntax: str, shape: Shape) -> bytes:
    """Pixel data; big endian 8-bit pixels in 16-bit words (OW) change places in pairs, whatever frame they are of."""
    data, _ = pixels_as_read(ds)
    if syntax != EXPLICIT_BE or shape.bits != 8 or ds["PixelData"].VR != "OW":
        return data
    return np.frombuffer(data + bytes(len(data) % 2), dtype=np.uint16).byteswap().tobytes()


def pixels_as_read(ds: Dataset) -> tuple[bytes, int | None]:
    """Pixel data, and where its value begins in what was read."""
    raw = raw_of(ds, "PixelData")
    if raw is not None and isinstance(raw.value, bytes):
        return raw.value, raw.value_tell
    return ds.PixelData, ds["PixelData"].file_tell


def one_bit(data: bytes, shape: Shape) -> Iterator[bytes]:
    """Packed one-bit frames that begin on whole bytes of their own, as each is stored here."""
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
    size = shape.rows * shape.columns
    for k in range(shape.frames):
        yield np.packbits(bits[k * size : (k + 1) * size], bitorder="little").tobytes()


def stored_frames(ds: Dataset, shape: Shape) -> list[bytes]:
    """The compressed frames as they came."""
    try:
        return list(generate_frames(ds.PixelData, number_of_frames=shape.frames))
    except (ValueError, RuntimeError) as error:
        raise Refusal("frame", k=1) from error
