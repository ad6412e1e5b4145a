"""Small random edit pairs and their byte-level tokens, for the tests beside."""

import numpy as np

from tbstar_jax.input_pipeline.records import EditRecord, encode_png


def make_record(index, size=(32, 32), num_sources=1):
    rng = np.random.default_rng(index)

    def image(*shape):
        return encode_png(rng.integers(0, 256, shape, np.uint8))

    return EditRecord(
        key=f"record-{index}",
        source_images=tuple(image(*size, 3) for _ in range(num_sources)),
        target_image=image(*size, 3),
        change_mask=encode_png((rng.random(size) > 0.5).astype(np.uint8) * 255),
        instructions_en=(f"edit {index}", f"please edit {index}"),
        instructions_zh=(f"编辑{index}",),
        task="recolor",
        scene=f"scene-{index}",
        provenance={"seed": index, "licence": "CC0", "scores": {"a": 0.5}},
    )


def tokenize(text):
    return np.array([256, *text.encode(), 257], np.int32)
