"""From tissue to a CT: blur, correlated noise, rounding, the round field of view."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from radiomics.phantom.pictures import N_SLICES
from radiomics.phantom.shapes import Volume, X, Y

FIRST = 8
RADIUS_MM = 125.0
BLUR = (0.25, 0.55, 0.55)


def to_ct(hu: Volume, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """HU int16 (40, 256, 256) of tissue (56, 256, 256); -1024 outside the circle of the field."""
    sharp = hu[FIRST - 1 : FIRST + N_SLICES + 1]
    image = gaussian_filter(sharp, BLUR, truncate=3.0)[1:-1]
    noise = gaussian_filter(
        rng.standard_normal(image.shape, dtype=np.float32), (0, 0.62, 0.62), truncate=3.0
    )
    radius = np.hypot(X[None, :], (Y - Y.mean())[:, None])
    sd = rng.normal(15, 1.5) * (1.18 - 0.36 * np.clip(radius / RADIUS_MM, 0, 1))
    image += noise * (sd / float(noise[0].std())).astype(np.float32)
    image = np.clip(np.rint(image), -1024, 3071)
    image[:, radius > RADIUS_MM] = -1024
    return np.asarray(image, dtype=np.int16)
