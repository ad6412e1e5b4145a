"""Small random Qwen2.5-VL checkpoints, written by transformers, and what they read."""

import dataclasses

import numpy as np

from tbstar_jax.convert.huggingface import families, load_tree
from tbstar_jax.convert.key_map_vl import (
    HEAD,
    key_generation,
    language_rows,
    vision_rows,
)
from tbstar_jax.model.conditioner.qwen25_config import (
    LanguageConfig,
    Qwen25VLConfig,
    VisionConfig,
)
from tbstar_jax.model.conditioner.qwen25_processor import PromptProcessor
from tbstar_jax.model.conditioner.qwen25_vl import abstract_conditioner

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)


def tokenizer():
    """A byte-level BPE without merges, one id per byte, and Qwen's special tokens."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    alphabet = sorted(ByteLevel.alphabet())
    made = Qwen2Tokenizer(
        vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]
    )
    made.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS[1:])})
    return made


def image_processor():
    """The PIL processor with the public checkpoints' settings."""
    from transformers import Qwen2VLImageProcessorPil

    return Qwen2VLImageProcessorPil(
        size={"shortest_edge": 56 * 56, "longest_edge": 12_845_056}
    )


def small_config(**language):
    """Two blocks of either kind in the tower, three language layers; heads of 16."""
    return Qwen25VLConfig(
        vision=VisionConfig(
            depth=4,
            hidden_size=32,
            num_heads=2,
            intermediate_size=44,
            in_channels=3,
            patch_size=14,
            temporal_patch_size=2,
            spatial_merge_size=2,
            window_size=112,
            fullatt_block_indexes=(1, 3),
            out_hidden_size=64,
            rope_theta=10_000.0,
        ),
        language=dataclasses.replace(
            LanguageConfig(
                vocab_size=264,
                hidden_size=64,
                intermediate_size=96,
                num_hidden_layers=3,
                num_attention_heads=4,
                num_key_value_heads=2,
                rms_norm_eps=1e-6,
                rope_theta=1_000_000.0,
                mrope_section=(2, 3, 3),
                sliding_window=None,
                max_window_layers=3,
            ),
            **language,
        ),
        image_token_id=tokenizer().convert_tokens_to_ids("<|image_pad|>"),
        edit_prompt="edit_plus",
        max_instruction_tokens=2048,
    )


def published_config(config):
    """The reference's config object for ours."""
    from transformers import Qwen2_5_VLConfig

    vision = dataclasses.asdict(config.vision)
    vision.pop("rope_theta")
    language = dataclasses.asdict(config.language)
    rope = {
        "rope_type": "default",
        "rope_theta": language.pop("rope_theta"),
        "mrope_section": list(language.pop("mrope_section")),
    }
    ids = tokenizer()
    special = {"bos_token_id": None, "eos_token_id": None}
    sliding = {"use_sliding_window": config.language.sliding_window is not None}
    return Qwen2_5_VLConfig(
        text_config={**language, **sliding, "rope_parameters": rope, **special},
        vision_config={**vision, "rope_parameters": None},
        image_token_id=config.image_token_id,
        video_token_id=ids.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=ids.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=ids.convert_tokens_to_ids("<|vision_end|>"),
    )


def reference_model(config):
    """The reference with random weights of a size at which every part is felt."""
    import torch
    from transformers import Qwen2_5_VLForConditionalGeneration

    torch.manual_seed(0)
    model = Qwen2_5_VLForConditionalGeneration(published_config(config))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.uniform_(-0.5, 0.5)
            else:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
        for name, parameter in model.named_parameters():
            if "norm" in name or "ln_q" in name:
                parameter.uniform_(0.5, 1.5)
    return model.eval()


def families_of(names, config):
    """Our leaves and the tensors of a checkpoint they are made of."""
    generation, layers = key_generation(names), config.language.num_hidden_layers
    return [
        *families(vision_rows(generation), config.vision.depth),
        *families(language_rows(generation), layers),
    ]


def tree_of(tensors, config):
    """Our tree from the tensors of either generation, the head left out."""
    return load_tree(
        tensors,
        families_of(tensors, config),
        ignored=(HEAD,),
        expected=abstract_conditioner(config),
    )


def state_of(model):
    """The reference's tensors as NumPy arrays."""
    return {name: t.detach().numpy() for name, t in model.state_dict().items()}


def processor(config):
    """Our host side with the tokenizer and image processor above."""
    return PromptProcessor(config, tokenizer(), image_processor())


def reference_processor():
    """The reference's processor without its video part, which needs torchvision."""
    from transformers import Qwen2_5_VLProcessor
    from transformers.processing_utils import ProcessorMixin

    class ImageProcessorAlone(Qwen2_5_VLProcessor):
        def __init__(self, image_processor=None, tokenizer=None, chat_template=None):
            for kind in ("image", "video"):
                token = f"<|{kind}_pad|>"
                setattr(self, f"{kind}_token", token)
                token_id = tokenizer.convert_tokens_to_ids(token)
                setattr(self, f"{kind}_token_id", token_id)
            ProcessorMixin.__init__(self, image_processor, tokenizer)

    return ImageProcessorAlone(image_processor(), tokenizer())


def photo(height, width, seed=0):
    """A smooth random photo, uint8."""
    rng = np.random.default_rng(seed)
    rows, columns = np.linspace(0, 3, height), np.linspace(0, 3, width)
    waves = np.sin(rows[:, None, None] * rng.uniform(1, 4, 3)) + np.cos(
        columns[None, :, None] * rng.uniform(1, 4, 3)
    )
    noise = rng.normal(0, 0.1, (height, width, 3))
    return np.clip(127.5 + 60 * (waves + noise), 0, 255).astype(np.uint8)
