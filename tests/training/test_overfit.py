"""Stage 1 learns eight pairs by heart, from the shipped base and fresh modules."""

import jax
import jax.numpy as jnp
import numpy as np

from tbstar_jax.convert.folder import load_weights
from tbstar_jax.data_engine.examples import make_record
from tbstar_jax.diffusion.loss import ConsistencyLossConfig
from tbstar_jax.diffusion.timesteps import TimestepConfig
from tbstar_jax.evaluation.heldout import (
    HeldoutEdit,
    HeldoutPair,
    edit_pairs,
    score_pairs,
)
from tbstar_jax.inference.editor import Editor, SamplingOptions
from tbstar_jax.inference.pipeline import SHIPPED_WEIGHTS
from tbstar_jax.input_pipeline.images import decode_image, decode_mask
from tbstar_jax.model.conditioner.byte import tokenize
from tbstar_jax.model.vae import VAE
from tbstar_jax.parallel.mesh import make_mesh, parse_mesh
from tbstar_jax.parallel.sharding import replicated
from tbstar_jax.training.freeze import merge, partition
from tbstar_jax.training.objective import Objective
from tbstar_jax.training.optimizer import (
    OptimizerConfig,
    PhaseSchedule,
    make_optimizer,
    phase_schedule,
)
from tbstar_jax.training.step import init_train_state, make_train_step
from tbstar_jax.trees import flatten, unflatten

NUM_PAIRS = 8
NUM_STEPS = 120
SIDE = 64  # pixels: 16 image tokens, so that a step takes a fraction of a second
PEAK_RATE = 4e-3
REACHABLE = 30.0  # dB through the autoencoder: what falls below is not the editor's


def load_base():
    """The shipped base in float32, and stage-1 modules as training starts them."""
    weights = load_weights(SHIPPED_WEIGHTS)
    parts = {
        name: jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), tree)
        for name, tree in weights.parts.items()
        if name in ("params", "vae", "conditioner", "pattern_shifting")
    }
    rng = np.random.default_rng(0)
    fresh = {}
    for name, leaf in flatten(parts["pattern_shifting"]).items():
        starts_at_zero = not name.endswith("lora_a")
        drawn = rng.standard_normal(leaf.shape) / np.sqrt(3 * leaf.shape[-2])
        fresh[name] = np.zeros_like(leaf) if starts_at_zero else np.float32(drawn)
    return weights.config, {**parts, "pattern_shifting": unflatten(fresh)}


def read_pair(index):
    record = make_record("stage1", 0, index, (SIDE, SIDE))
    return HeldoutPair(
        key=record.key,
        task=record.task,
        instruction=min(record.instructions_en, key=len),
        source=decode_image(record.source_images[0]),
        target=decode_image(record.target_image),
        change_mask=decode_mask(record.change_mask) > 127,
    )


def psnr_inside(pairs, images):
    edits = [HeldoutEdit(image, None) for image in images]
    return np.array([score.psnr_inside for score in score_pairs(pairs, edits)])


def choose_pairs(config, vae):
    """The first pairs that the autoencoder can show, and their latents."""
    candidates = [read_pair(index) for index in range(48)]
    candidates = [pair for pair in candidates if pair.change_mask.any()]
    run = jax.jit(VAE(config.vae).apply, static_argnames="method")

    def encode(images):
        scaled = np.stack(images).astype(np.float32) / np.float32(127.5) - 1
        return run({"params": vae}, scaled, method=VAE.encode)

    targets = encode([pair.target for pair in candidates])
    decoded = np.asarray(run({"params": vae}, targets, method=VAE.decode))
    shown = np.round((decoded + 1) * np.float32(127.5)).clip(0, 255).astype(np.uint8)
    good = np.flatnonzero(psnr_inside(candidates, shown) > REACHABLE)[:NUM_PAIRS]
    pairs = [candidates[index] for index in good]
    sources = encode([pair.source for pair in pairs])
    return pairs, np.asarray(sources), np.asarray(targets)[good]


def make_batch(config, pairs, sources, targets):
    tokens = [tokenize(pair.instruction, config.conditioner) for pair in pairs]
    padded = np.zeros((len(pairs), max(map(len, tokens))), np.int32)
    for row, ids in zip(padded, tokens, strict=True):
        row[: len(ids)] = ids
    batch = {
        "target_latent": targets,
        "source_latent_1": sources,
        "source_image_1": np.stack([pair.source for pair in pairs]),
        "instruction_tokens": padded,
        "num_instruction_tokens": np.array([len(ids) for ids in tokens], np.int32),
        "is_instruction_dropped": np.zeros(len(pairs), bool),
    }
    return {name: value[None] for name, value in batch.items()}


def train(config, parts, batch):
    """The collections after `NUM_STEPS` steps on one batch, averaged over steps."""
    collections = partition(parts, "stage1")
    mesh = make_mesh(parse_mesh("1x1"))
    rate = phase_schedule(
        PhaseSchedule(
            peak=PEAK_RATE,
            floor=1e-4,
            num_warmup_steps=20,
            num_constant_steps=40,
            num_cosine_steps=NUM_STEPS - 60,
        )
    )
    optimizer = make_optimizer(OptimizerConfig(weight_decay=0.0), rate, first_step=0)
    objective = Objective(
        "stage1",
        config,
        consistency=ConsistencyLossConfig(),
        timesteps=TimestepConfig(),
        dtype=jnp.float32,
        mesh=mesh,
    )
    state = init_train_state(collections.trainable, optimizer, jax.random.key(0), 0)
    whole = replicated(mesh)
    step = make_train_step(
        objective,
        optimizer,
        rate,
        loss_weights=objective.loss_weights,
        largest_ema_decay=0.98,
        state_shardings=jax.tree.map(lambda _: whole, state),
        frozen_shardings=whole,
        batch_shardings=whole,
    )
    # Tests compile without optimisations: many steps of one program want them.
    options = {"xla_backend_optimization_level": 3}
    step = jax.jit(step, donate_argnums=0, compiler_options=options)
    state, frozen, batch = jax.device_put((state, collections.frozen, batch), whole)
    for _ in range(NUM_STEPS):
        state, _ = step(state, frozen, batch)
    return merge(state.ema, frozen)


def test_eight_pairs_are_learned_by_heart():
    config, parts = load_base()
    pairs, sources, targets = choose_pairs(config, parts["vae"])
    assert len(pairs) == NUM_PAIRS
    options = SamplingOptions(num_steps=16, guidance_scale=1.0, use_gate=False)
    trained = train(config, parts, make_batch(config, pairs, sources, targets))
    before, after = (
        psnr_inside(
            pairs,
            [
                edit.image
                for edit in edit_pairs(
                    Editor(config), variables, pairs, options, batch_size=NUM_PAIRS
                )
            ],
        )
        for variables in (parts, trained)
    )
    assert before.max() < 20, before
    assert after.min() > 25, after
