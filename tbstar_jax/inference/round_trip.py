"""A photo through a model's autoencoder and back: what no edit by it can exceed."""

import numpy as np
from jaxtyping import UInt8

from tbstar_jax.geometry import from_model, plan_canvas, to_model
from tbstar_jax.inference.loaded_model import LoadedModel


def round_trip(
    model: LoadedModel, image: UInt8[np.ndarray, "h w 3"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Encodes and decodes a photo on its canvas.

    Args:
      model: whose autoencoder and pixel budget; a larger photo is scaled down and up
        again, as when it is edited.
      image: sRGB.

    Raises:
      UserError: a photo that the model cannot take.
    """
    plan = plan_canvas(image.shape[0], image.shape[1], model.config.pixel_budget)
    seen = to_model(image, plan)[None]
    prepared = model.editor.prepare(model.parts, seen, grid=plan.grid)
    decoded = model.editor.round_trip(model.parts, prepared)
    return from_model(np.asarray(decoded[0]), plan)
