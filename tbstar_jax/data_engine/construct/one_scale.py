"""An answer of another size brought to the photo's, where one factor does it.

Editing services answer in sizes of their own. Stretching rows and columns by different
factors would teach a model to stretch; where one factor, rounded to whole pixels, gives
the photo's size, the picture is resampled (Lanczos), else refused.
"""

import numpy as np
from PIL import Image

from tbstar_jax.array_types import UInt8
from tbstar_jax.data_engine.construct.protocol import CannotEdit


def scaled_to(
    image: UInt8[np.ndarray, "h w 3"], height: int, width: int
) -> UInt8[np.ndarray, "ch cw 3"]:
    """Scales an image by one factor.

    Args:
      image: the answer.
      height: of the photo, in pixels.
      width: likewise.

    Raises:
      CannotEdit: no single factor gives this size.
    """
    rows, columns = image.shape[:2]
    # A factor f rounds to (height, width) if f * rows is within half a pixel of height
    # and f * columns of width: the two intervals of f must meet.
    least = max((height - 0.5) / rows, (width - 0.5) / columns)
    most = min((height + 0.5) / rows, (width + 0.5) / columns)
    if least > most:
        raise CannotEdit(
            f"the answer of {rows} x {columns} pixels (rows, columns) has another "
            f"shape than the photo of {height} x {width}"
        )
    picture = Image.fromarray(image)
    return np.array(picture.resize((width, height), Image.Resampling.LANCZOS))
