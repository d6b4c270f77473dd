"""Values as pictures: windows, colour maps, one image laid over another."""

import io

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from PIL import Image as Picture

Grey = npt.NDArray[np.float64]
Colour = npt.NDArray[np.uint8]


def windowed(pixels: npt.ArrayLike, lower: float, upper: float) -> Grey:
    """Shares 0..1 of a window."""
    values = np.asarray(pixels, dtype=np.float64)
    return np.asarray(np.clip((values - lower) / (upper - lower), 0.0, 1.0))


def coloured(shares: Grey, name: str) -> Colour:
    """Shares 0..1 as (rows, columns, 3) bytes."""
    if name == "inferno":
        return np.asarray(colormaps["inferno"](shares, bytes=True)[..., :3])
    grey = np.rint(255 * (1 - shares if name == "inverted" else shares)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def laid_over(below: Grey, counts: Grey, *, top: float, threshold: float, opacity: float) -> Colour:
    """(1 − a) · grey + a · map(counts) where these reach a share of their upper bound, the grey untouched elsewhere.

    `below` are shares 0..1 of a window, `counts` the values over them, both (rows, columns).
    """
    grey = coloured(below, "grey").astype(np.float64)
    above = coloured(windowed(counts, 0.0, top), "inferno").astype(np.float64)
    mixed = (1 - opacity) * grey + opacity * above
    shows = (counts >= threshold * top)[..., None]
    return np.asarray(np.rint(np.where(shows, mixed, grey)), dtype=np.uint8)


def png(pixels: Colour) -> bytes:
    out = io.BytesIO()
    Picture.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()
