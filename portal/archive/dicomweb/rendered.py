"""Rendered images and thumbnails: a window of PS3.3 C.11.2.1.2 over modality values, as JPEG or PNG."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from django.http import HttpRequest, HttpResponse, QueryDict
from PIL import Image as Picture

from portal.archive import packs
from portal.archive.accept import alternatives
from portal.archive.dicomweb.baked import mark
from portal.archive.dicomweb.header import Image, value
from portal.archive.frames import NO_SUCH_IMAGE, BadRequest, NotAcceptable, keeping
from portal.errors import NotFound

FUNCTIONS = ("linear", "linear-exact", "sigmoid")
KINDS = {"image/jpeg": "JPEG", "image/png": "PNG", "*/*": "JPEG", "image/*": "JPEG"}
THUMBNAIL, MOST, QUALITY = 128, 4096, 90
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    centre: float
    width: float
    function: str = "linear"


@dataclass(frozen=True)
class Scale:
    """How stored values become display values."""

    slope: float
    intercept: float
    window: Window
    is_inverted: bool

    def shown(self, stored: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
        values = windowed(stored.astype(np.float64) * self.slope + self.intercept, self.window)
        return np.asarray(np.rint(255 - values if self.is_inverted else values), dtype=np.uint8)


@lru_cache(maxsize=64)
def table(scale: Scale, dtype: str) -> npt.NDArray[np.uint8]:
    """The display value of every stored value of 8 or 16 bits, by its bits."""
    kind = np.dtype(dtype)
    every = np.arange(256**kind.itemsize).astype(f"<u{kind.itemsize}")
    return scale.shown(every.view(kind))


@dataclass(frozen=True)
class Shown:
    """What the query asks for: window, fit, part of the source, quality."""

    window: Window | None
    viewport: tuple[int, int] | None
    part: tuple[float, ...]
    quality: int


def windowed(values: FloatArray, window: Window) -> FloatArray:
    """Display values 0..255 of modality values."""
    c, w = window.centre, window.width
    if window.function == "sigmoid":
        exponent = np.clip(-4 * (values - c) / w, -700, 700)
        return np.asarray(255 / (1 + np.exp(exponent)))
    if window.function == "linear-exact":
        return np.asarray(np.clip(255 * ((values - c) / w + 0.5), 0, 255))
    if w == 1:
        return np.where(values > c - 0.5, 255.0, 0.0)
    return np.asarray(np.clip(255 * ((values - (c - 0.5)) / (w - 1) + 0.5), 0, 255))


def numbers(text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise BadRequest("window, viewport and quality hold numbers.") from None
    if not all(math.isfinite(n) for n in found):
        raise BadRequest("window, viewport and quality hold finite numbers.")
    return found


def parse(given: QueryDict) -> Shown:
    """Raises BadRequest for anything malformed; nothing is ever burned in."""
    if "annotation" in given:
        raise BadRequest("Nothing is ever written into a picture.")
    quality = given.get("quality", str(QUALITY))
    if not (
        quality.isascii() and quality.isdigit() and len(quality) <= 3 and 1 <= int(quality) <= 100
    ):
        raise BadRequest("quality is a whole number from 1 to 100.")
    window = window_of(str(given["window"])) if "window" in given else None
    viewport, part = viewport_of(str(given["viewport"])) if "viewport" in given else (None, ())
    return Shown(window, viewport, part, int(quality))


def window_of(text: str) -> Window:
    parts = text.split(",")
    if len(parts) not in (2, 3) or (len(parts) == 3 and parts[2].lower() not in FUNCTIONS):
        raise BadRequest("window is centre,width[,linear|linear-exact|sigmoid].")
    centre, width = numbers(",".join(parts[:2]))
    if width < 1:
        raise BadRequest("The width of a window is at least 1.")
    return Window(centre, width, parts[2].lower() if len(parts) == 3 else "linear")


def viewport_of(text: str) -> tuple[tuple[int, int], tuple[float, ...]]:
    found = numbers(text)
    if len(found) not in (2, 6) or not all(1 <= n <= MOST and n == int(n) for n in found[:2]):
        raise BadRequest(f"viewport is width,height[,x,y,width,height] of at most {MOST} pixels.")
    if len(found) == 6 and (min(found[2:4]) < 0 or min(found[4:]) < 1):
        raise BadRequest("The part of the picture lies inside it.")
    return (int(found[0]), int(found[1])), found[2:]


def kind_of(request: HttpRequest) -> str:
    header = request.headers.get("Accept", "") or "*/*"
    for alternative in alternatives(header):
        if alternative.media in KINDS:
            return KINDS[alternative.media]
    raise NotAcceptable("Pictures are answered as image/jpeg or image/png.")


def middle(images: Sequence[Image]) -> tuple[Image, int]:
    """The middle frame, counted over all images."""
    frames = [(i, k) for i in images for k in range(len(i.place.native))]
    if not frames:
        raise NotFound(NO_SUCH_IMAGE)
    return frames[len(frames) // 2]


def pixels(image: Image, index: int) -> npt.NDArray[np.generic]:
    if not 0 <= index < len(image.place.native):
        raise NotFound(NO_SUCH_IMAGE)
    elements, place = image.elements, image.place
    bits, signed = (
        int(value(elements, "BitsAllocated", 16)),
        int(value(elements, "PixelRepresentation", 0)),
    )
    if bits not in (8, 16, 32):
        raise NotFound(NO_SUCH_IMAGE)
    data = packs.read(place.folder, packs.NATIVE, place.native[index])
    shape = (
        int(value(elements, "Rows")),
        int(value(elements, "Columns")),
        int(value(elements, "SamplesPerPixel", 1)),
    )
    values = np.frombuffer(data, dtype=f"<{'i' if signed else 'u'}{bits // 8}")
    if shape[2] == 3 and bits == 8 and values.size == shape[0] * shape[1] * 2:
        return from_halved_chroma(values, shape[0], shape[1])
    if values.size != math.prod(shape):
        raise NotFound(NO_SUCH_IMAGE)
    if shape[2] == 3 and int(value(elements, "PlanarConfiguration", 0)) == 1:
        return np.moveaxis(values.reshape(3, *shape[:2]), 0, -1)
    return values.reshape(shape)


def from_halved_chroma(values: npt.NDArray[Any], rows: int, columns: int) -> npt.NDArray[np.uint8]:
    """Red, green and blue of YBR_FULL_422: Y, Y, Cb, Cr for each two pixels (PS3.3 C.7.6.3.1.2)."""
    pairs = values.reshape(rows, columns // 2, 4).astype(np.float64)
    y = pairs[:, :, :2].reshape(rows, columns)
    blue, red = (np.repeat(pairs[:, :, k], 2, axis=1) - 128 for k in (2, 3))
    found = np.stack([y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue], -1)
    return np.asarray(np.rint(np.clip(found, 0, 255)), dtype=np.uint8)


def displayed(image: Image, index: int, window: Window | None) -> npt.NDArray[np.uint8]:
    """Grey or colour bytes of one frame, MONOCHROME1 inverted."""
    values, elements = pixels(image, index), image.elements
    if values.shape[2] == 3:
        return np.ascontiguousarray(values.astype(np.uint8))
    own = Window(float(value(elements, "WindowCenter")), float(value(elements, "WindowWidth")))
    scale = Scale(
        float(value(elements, "RescaleSlope", 1.0)), float(value(elements, "RescaleIntercept", 0.0)),
        window or own, value(elements, "PhotometricInterpretation") == "MONOCHROME1",
    )  # fmt: skip
    grey = values[:, :, 0]
    if grey.dtype.itemsize > 2:
        return scale.shown(grey)
    unsigned = np.dtype(f"<u{grey.dtype.itemsize}")
    return np.asarray(np.take(table(scale, str(grey.dtype)), grey.view(unsigned)))


def fitted(picture: Picture.Image, shown: Shown) -> Picture.Image:
    if shown.part:
        x, y, w, h = shown.part
        if x + w > picture.width or y + h > picture.height:
            raise BadRequest("The part of the picture lies inside it.")
        picture = picture.crop((int(x), int(y), int(x + w), int(y + h)))
    if shown.viewport is None:
        return picture
    scale = min(shown.viewport[0] / picture.width, shown.viewport[1] / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Picture.Resampling.BILINEAR)


def render(
    request: HttpRequest, images: Sequence[Image], frame: int | None, *, is_thumbnail: bool
) -> HttpResponse:
    """A picture of the frame, or of the middle one."""
    kind, shown = kind_of(request), parse(request.GET)
    image, index = middle(images) if frame is None else (images[0], frame - 1)
    if is_thumbnail and shown.viewport is None:
        shown = Shown(shown.window, (THUMBNAIL, THUMBNAIL), (), shown.quality)
    picture = fitted(Picture.fromarray(displayed(image, index, shown.window)), shown)
    out = io.BytesIO()
    picture.save(out, kind, **({"quality": shown.quality} if kind == "JPEG" else {}))
    content = out.getvalue()
    # of the image under the names of this view: the pictures of two cases have no mark in common
    etag = mark(f"{image.key}\n".encode() + content)
    headers = {"ETag": etag, "Cache-Control": keeping(one.place for one in images)}
    return HttpResponse(content, content_type=f"image/{kind.lower()}", headers=headers)
