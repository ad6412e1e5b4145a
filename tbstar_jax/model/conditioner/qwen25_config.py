"""Sizes of Qwen2.5-VL; names follow the public checkpoints' `config.json`."""

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True, kw_only=True)
class VisionConfig:
    """The vision tower.

    Attributes:
      depth: number of blocks.
      hidden_size: width.
      num_heads: attention heads.
      intermediate_size: hidden units of the feed-forward.
      in_channels: channels of an image.
      patch_size: side of a patch in pixels.
      temporal_patch_size: frames of a patch; a still image is repeated.
      spatial_merge_size: side of a cell in patches; a cell becomes one token.
      window_size: side of an attention window in pixels.
      fullatt_block_indexes: blocks that see the whole image, not their window alone.
      out_hidden_size: width of the tokens, that of the language model.
      rope_theta: base of the rotary frequencies.
    """

    depth: int
    hidden_size: int
    num_heads: int
    intermediate_size: int
    in_channels: int
    patch_size: int
    temporal_patch_size: int
    spatial_merge_size: int
    window_size: int
    fullatt_block_indexes: tuple[int, ...]
    out_hidden_size: int
    rope_theta: float

    def __post_init__(self) -> None:
        """Raises ValueError for sizes that do not fit each other."""
        if self.hidden_size % (4 * self.num_heads):
            raise ValueError(
                f"hidden_size {self.hidden_size} must be a multiple of four times "
                f"num_heads {self.num_heads}: a head is rotated by row and column"
            )
        if self.window_size < self.cell_size:
            raise ValueError(
                f"window_size {self.window_size} must hold at least one cell of "
                f"{self.cell_size} pixels"
            )

    @property
    def patch_dim(self) -> int:
        """Numbers in a flattened patch."""
        return self.in_channels * self.temporal_patch_size * self.patch_size**2

    @property
    def cell_size(self) -> int:
        """Side of a cell in pixels; the sides of an image are multiples of it."""
        return self.patch_size * self.spatial_merge_size

    @property
    def patches_per_cell(self) -> int:
        """Patches that become one token."""
        return self.spatial_merge_size**2

    @property
    def window_side(self) -> int:
        """Side of a window in cells."""
        return self.window_size // self.spatial_merge_size // self.patch_size

    @property
    def cells_per_window(self) -> int:
        """Cells of a whole window; those at the image's border may hold fewer."""
        return self.window_side**2

    @property
    def patches_per_window(self) -> int:
        """Patches of a whole window."""
        return self.cells_per_window * self.patches_per_cell


@dataclasses.dataclass(frozen=True, kw_only=True)
class LanguageConfig:
    """The language model.

    Attributes:
      vocab_size: rows of the token embedding.
      hidden_size: width.
      intermediate_size: hidden units of the feed-forward.
      num_hidden_layers: number of layers.
      num_attention_heads: heads of the queries.
      num_key_value_heads: heads of the keys and values; each serves a group of queries.
      rms_norm_eps: added to the mean square in every norm.
      rope_theta: base of the rotary frequencies.
      mrope_section: channel pairs of a head rotated by frame, row and column.
      sliding_window: how many tokens, its own included, a token sees in layers from
        `max_window_layers` on; None (`use_sliding_window: false`): all before it.
      max_window_layers: number of layers that see everything before them anyway.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    rms_norm_eps: float
    rope_theta: float
    mrope_section: tuple[int, int, int]
    sliding_window: int | None
    max_window_layers: int

    def __post_init__(self) -> None:
        """Raises ValueError for sizes that do not fit each other."""
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} must be a multiple of "
                f"num_attention_heads {self.num_attention_heads}"
            )
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads {self.num_attention_heads} must be a multiple of "
                f"num_key_value_heads {self.num_key_value_heads}"
            )
        if 2 * sum(self.mrope_section) != self.head_dim:
            raise ValueError(
                f"mrope_section {self.mrope_section} must sum to half of the head's "
                f"width {self.head_dim}"
            )

    @property
    def head_dim(self) -> int:
        """Width of a head."""
        return self.hidden_size // self.num_attention_heads


@dataclasses.dataclass(frozen=True, kw_only=True)
class Qwen25VLConfig:
    """Qwen2.5-VL as the conditioner.

    Attributes:
      vision: the vision tower.
      language: the language model; its last hidden state is the context.
      image_token_id: the token that stands for a cell of an image.
      edit_prompt: how sources stand in the prompt: "edit" as in Qwen-Image-Edit (one
        source, at the size the autoencoder sees), "edit_plus" as in 2509 and 2511
        (numbered pictures of about 384 x 384 pixels).
      max_instruction_tokens: longest instruction, in tokens.
    """

    vision: VisionConfig
    language: LanguageConfig
    image_token_id: int
    edit_prompt: Literal["edit", "edit_plus"]
    max_instruction_tokens: int

    def __post_init__(self) -> None:
        """Raises ValueError when the two towers do not fit each other."""
        if self.vision.out_hidden_size != self.language.hidden_size:
            raise ValueError(
                f"the vision tower gives tokens of width {self.vision.out_hidden_size},"
                f" the language model takes {self.language.hidden_size}"
            )

    @property
    def width(self) -> int:
        """Width of the context, the transformer's `joint_attention_dim`."""
        return self.language.hidden_size


def qwen25_vl_7b() -> Qwen25VLConfig:
    """Qwen2.5-VL-7B-Instruct, the text encoder of the Qwen-Image family.

    8,292,166,656 parameters with the output head, which conditioning does not use;
    7,747,169,280 without.
    """
    return Qwen25VLConfig(
        vision=VisionConfig(
            depth=32,
            hidden_size=1280,
            num_heads=16,
            intermediate_size=3420,
            in_channels=3,
            patch_size=14,
            temporal_patch_size=2,
            spatial_merge_size=2,
            window_size=112,
            fullatt_block_indexes=(7, 15, 23, 31),
            out_hidden_size=3584,
            rope_theta=10_000.0,
        ),
        language=LanguageConfig(
            vocab_size=152_064,
            hidden_size=3584,
            intermediate_size=18_944,
            num_hidden_layers=28,
            num_attention_heads=28,
            num_key_value_heads=4,
            rms_norm_eps=1e-6,
            rope_theta=1_000_000.0,
            mrope_section=(16, 24, 24),
            sliding_window=None,
            max_window_layers=28,
        ),
        image_token_id=151_655,
        edit_prompt="edit_plus",
        max_instruction_tokens=1024,
    )
