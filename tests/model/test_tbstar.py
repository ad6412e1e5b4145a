"""Identities of the transformer with its stage modules, float32 on CPU."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tbstar_jax.model.presets import tiny
from tbstar_jax.model.tbstar import (
    ModelConfig,
    TBStar,
    abstract_variables,
    init_variables,
)
from tbstar_jax.trees import flatten

GRIDS = ((3, 4), (3, 4), (5, 2))


def _model(**transformer) -> TBStar:
    config = tiny()
    small = dataclasses.replace(
        config.transformer,
        num_layers=3,
        num_attention_heads=2,
        joint_attention_dim=16,
        **transformer,
    )
    return TBStar(dataclasses.replace(config, transformer=small))


def _randomise(tree, key):
    """Every leaf drawn anew, so that no zero initialisation hides a difference."""
    leaves, structure = jax.tree.flatten(tree)
    keys = jax.random.split(key, len(leaves))
    drawn = [
        0.2 * jax.random.normal(k, leaf.shape) + (0 if leaf.ndim > 1 else leaf)
        for k, leaf in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, drawn)


@functools.cache
def _variables(model: TBStar):
    return jax.jit(lambda key: init_variables(model, key))(jax.random.key(0))


def _inputs(num_sources: int):
    keys = jax.random.split(jax.random.key(3), 5)
    tokens = [
        jax.random.normal(key, (2, h * w, 64))
        for key, (h, w) in zip(keys, GRIDS, strict=False)
    ]
    context = jax.random.normal(keys[4], (2, 6, 16))
    return tokens[0], context, tuple(tokens[1 : 1 + num_sources])


def _apply(model, variables, time, num_sources=2, source_cache=None):
    # Everything is an argument: the compiler reorders sums of constants.
    @jax.jit
    def run(variables, inputs, cache):
        target, context, sources = inputs
        return model.apply(
            variables,
            target,
            jnp.asarray(time),
            context,
            jnp.asarray([6, 4], jnp.int32),
            sources if cache is None else (),
            target_grid=GRIDS[0],
            source_grids=GRIDS[1 : 1 + num_sources],
            source_cache=cache,
        )

    return run(variables, _inputs(num_sources), source_cache)


def _encode(model, variables, num_sources=2):
    _, _, sources = _inputs(num_sources)
    encode = functools.partial(
        model.apply,
        source_tokens=sources,
        source_grids=GRIDS[1 : 1 + num_sources],
        method=TBStar.encode_source,
    )
    return jax.jit(encode)(variables)


CONFIGURATIONS = [
    {"source_time": "zero", "source_attention": "cached"},
    {"source_time": "zero", "source_attention": "full"},
    {"source_time": "same", "source_attention": "full"},
]


@pytest.mark.parametrize(
    ("settings", "num_sources"),
    [(CONFIGURATIONS[0], 0), *((settings, 2) for settings in CONFIGURATIONS)],
)
def test_a_collection_absent_is_the_collection_at_initialisation(settings, num_sources):
    model = _model(**settings)
    variables = _variables(model)
    outputs = [
        _apply(model, {k: variables[k] for k in names}, [0.2, 0.9], num_sources)
        for names in (
            ("params",),
            ("params", "pattern_shifting"),
            ("params", "consistency"),
            ("params", "pattern_shifting", "consistency"),
        )
    ]
    for output in outputs[1:]:
        np.testing.assert_array_equal(output.velocity, outputs[0].velocity)
    gates = [output.keep_logit for output in outputs]
    if num_sources:
        assert gates[0] is None
        assert gates[1] is None
        np.testing.assert_array_equal(gates[3], np.zeros((2, 12)))
    else:
        assert all(gate is None for gate in gates)


def test_cached_source_keys_change_no_bit_at_any_time():
    model = _model()
    variables = _randomise(_variables(model), jax.random.key(5))
    cache = _encode(model, variables)
    for time in ([1.0, 1.0], [0.7, 0.1], [0.02, 0.5]):
        fresh = _apply(model, variables, time)
        cached = _apply(model, variables, time, source_cache=cache)
        np.testing.assert_array_equal(fresh.velocity, cached.velocity)
        np.testing.assert_array_equal(fresh.keep_logit, cached.keep_logit)


@pytest.mark.parametrize(
    ("settings", "is_cacheable"),
    [
        ({"source_time": "zero", "source_attention": "cached"}, True),
        ({"source_time": "zero", "source_attention": "full"}, False),
        ({"source_time": "same", "source_attention": "full"}, False),
    ],
)
def test_source_states_depend_on_the_time_only_without_the_cached_structure(
    settings, is_cacheable
):
    """The negative controls: the cache is exact because of both of its conditions."""
    model = _model(**settings)
    variables = _randomise(_variables(model), jax.random.key(5))
    # A gate blind to the target reads nothing but source 1's last state.
    gate = variables["consistency"]["keep_gate"]
    width = model.config.transformer.width
    for name in ("hidden_kernel", "mean_kernel"):
        source_rows = gate[name][width : 2 * width]
        blind = jnp.zeros_like(gate[name])
        gate[name] = blind.at[width : 2 * width].set(source_rows)
    early = _apply(model, variables, [0.9, 0.9]).keep_logit
    late = _apply(model, variables, [0.3, 0.3]).keep_logit
    difference = float(jnp.abs(early - late).max())
    if is_cacheable:
        assert difference == 0
    else:
        assert difference > 1e-2


def test_a_cache_needs_the_cached_structure():
    model = _model(source_attention="full")
    with pytest.raises(ValueError, match="source_attention='cached'"):
        _encode(model, _variables(model))


def test_cached_attention_at_the_targets_time_is_refused():
    with pytest.raises(ValueError, match="requires source_time='zero'"):
        _model(source_attention="cached", source_time="same")


def test_padded_text_changes_nothing():
    model = _model()
    variables = _randomise(_variables(model), jax.random.key(5))
    target, context, sources = _inputs(1)

    def run(context):
        return model.apply(
            variables,
            target,
            jnp.asarray([0.4, 0.6]),
            context,
            jnp.asarray([4, 4], jnp.int32),
            sources,
            target_grid=GRIDS[0],
            source_grids=GRIDS[1:2],
        ).velocity

    np.testing.assert_allclose(run(context), run(context[:, :4]), atol=1e-5)


def test_every_trainable_leaf_gets_a_gradient():
    model = _model()
    variables = _randomise(_variables(model), jax.random.key(5))

    def loss(trainable, frozen):
        output = _apply(model, {**frozen, **trainable}, [0.3, 0.8])
        return jnp.sum(output.velocity**2) + jnp.sum(output.keep_logit**2)

    for names in (("pattern_shifting",), ("consistency",)):
        trainable = {k: variables[k] for k in names}
        frozen = {k: v for k, v in variables.items() if k not in names}
        gradients = flatten(jax.grad(loss)(trainable, frozen))
        still = [name for name, g in gradients.items() if not np.any(g)]
        # One embedding per possible source; the third source is not there.
        assert still == []


def test_sizes_of_the_tiny_preset():
    tree = abstract_variables(TBStar(tiny()))
    counts = {
        name: sum(leaf.size for leaf in jax.tree.leaves(collection))
        for name, collection in tree.items()
    }
    assert counts == {
        "params": 10_880_352,
        "pattern_shifting": 1_770_048,
        "consistency": 639_553,
    }


def test_the_full_size_base_has_the_published_number_of_parameters():
    config: ModelConfig = tiny()
    transformer = dataclasses.replace(
        config.transformer,
        num_layers=60,
        num_attention_heads=24,
        attention_head_dim=128,
        joint_attention_dim=3584,
        axes_dims_rope=(16, 56, 56),
    )
    tree = abstract_variables(
        TBStar(dataclasses.replace(config, transformer=transformer))
    )
    leaves = jax.tree.leaves(tree["params"])
    assert sum(leaf.size for leaf in leaves) == 20_430_401_088
