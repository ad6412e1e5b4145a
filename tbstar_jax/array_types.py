"""Array annotations, the legend of one-letter dims, and the model's output.

Legend: `a` accumulated micro-batches, `b` examples, `h w` rows and columns (pixels or
latent cells, as the docstring says), `c` channels, `n` image tokens, `m` context
(text) tokens, `s` source tokens, `d` model width, `k` heads, `e` head width, `l`
transformer blocks, `t` sampling steps.
"""

from typing import Any, TypeAlias

from flax import struct
from jaxtyping import (
    Array,
    Bool,
    Float,
    Int,
    Int32,
    Key,
    PRNGKeyArray,
    PyTree,
    Scalar,
    Shaped,
    UInt8,
    UInt16,
)

__all__ = [
    "Array",
    "Bool",
    "Float",
    "Grid",
    "Int",
    "Int32",
    "Key",
    "ModelOutput",
    "PRNGKeyArray",
    "PyTree",
    "Scalar",
    "Shaped",
    "Tree",
    "UInt8",
    "UInt16",
    "Variables",
]

Grid: TypeAlias = tuple[int, int]
"""Rows and columns of an image, in tokens."""

Tree: TypeAlias = dict[str, Any]
"""A nested dict with arrays as leaves: one variable collection."""

Variables: TypeAlias = dict[str, Tree]
"""Collection name to tree: `params`, `pattern_shifting`, `consistency`."""


@struct.dataclass
class ModelOutput:
    """What the transformer says about the target's tokens.

    Attributes:
      velocity: `noise - latent` per packed token, `[b n c]`, float32.
      keep_logit: logit of "this token equals source 1", `[b n]` float32; None without
        the consistency collection or when target and source 1 differ in grid.
    """

    velocity: Float[Array, "b n c"]
    keep_logit: Float[Array, "b n"] | None = None
