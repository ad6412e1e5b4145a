"""The commands of docs/adapters.md, run as typed on the reduced model, and refusals."""

import pathlib
import re
import shlex

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments import export, stage1, stage2
from tbstar_jax.checkpoint import read_metadata, restore_checkpoint
from tbstar_jax.config import from_dict
from tbstar_jax.convert.folder import BASE_PARTS, load_weights, save_weights
from tbstar_jax.convert.lora import read_lora
from tbstar_jax.convert.lora_file import parse_lora_file
from tbstar_jax.diffusion.timesteps import lightning_timesteps
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.inference import cli
from tbstar_jax.inference.editor import SamplingOptions
from tbstar_jax.inference.pipeline import EditPipeline
from tbstar_jax.model.tbstar import ModelConfig, TBStar, abstract_variables
from tests.support import reduced
from tests.support.drawn_weights import draw_parts
from tests.support.lora_files import draw_lora, write_lora

ROOT = pathlib.Path(__file__).parents[2]
STYLE = "transformer_blocks.1.attn.to_q"
LIGHTNING = "Lightning-4steps.safetensors"
TOLERANCE = 5e-5
GRIDS = ((3, 2), (3, 2))


def doc_commands(program):
    text = (ROOT / "docs/adapters.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert all(re.match("tbstar-edit |python -m experiments", line) for line in lines)
    return [shlex.split(line) for line in lines if line.startswith(program)]


@pytest.fixture(scope="module", autouse=True)
def _compiled_quickly():
    """Every program runs a few times only: optimising it takes longer."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where a user works: base, data, a photo and two LoRAs of the reduced model."""
    root = tmp_path_factory.mktemp("adapters")
    base, data = root / "base", root / "data" / "built" / "tiny"
    parts = draw_parts(reduced.reduced_model())
    save_weights(
        base, reduced.reduced_model(), {name: parts[name] for name in BASE_PARTS}
    )
    reduced.write_sets(data, {"stage1": 4, "stage2": 2, "heldout": 1})
    params = parts["params"]
    write_lora(root / "style.safetensors", draw_lora(params, {STYLE}), "kohya")
    write_lora(root / LIGHTNING, draw_lora(params), "lightning")
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(photo).save(root / "mug.png")
    return reduced.Place(root, base, data)


@pytest.fixture
def inside(place, monkeypatch):
    monkeypatch.chdir(place.root)
    return place


def stage_arguments(place, *settings):
    return [f"--set={text}" for text in reduced.overrides(place, *settings)]


def test_the_edits_run_as_typed(inside, monkeypatch, capsys, caplog):
    for arguments in doc_commands("tbstar-edit"):
        typed = [*arguments, f"--checkpoint={inside.base}"]
        if "fast.png" not in typed:
            typed.append("--steps=1")
        monkeypatch.setattr("sys.argv", typed)
        assert cli.main() == 0, capsys.readouterr().err
    assert "is a Lightning LoRA: 4 steps, guidance 1" in caplog.text
    edited, fast = (np.asarray(Image.open(n)) for n in ("edited.png", "fast.png"))
    assert np.any(edited != fast)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (f"--lora {LIGHTNING} --steps 16", "distilled for 4 steps, not 16"),
        (f"--lora {LIGHTNING}:0.9 --guidance 4", "guidance=4 would spoil"),
        ("--lora style.safetensors:0", "the scale of style.safetensors is 0"),
        ("--lora nowhere.safetensors", "nowhere.safetensors cannot be read"),
        ("--lora style.pt", "style.pt is not a .safetensors file"),
    ],
)
def test_a_lora_that_cannot_be_used_is_found_before_loading(inside, options, sentence):
    def load(checkpoint, loras):
        raise AssertionError("weights were loaded")

    with pytest.raises(UserError, match=sentence):
        cli.run(["mug.png", "make it blue", "-o", "x.png", *options.split()], load)


def test_a_lightning_lora_sets_the_sampler(inside):
    edit = EditPipeline.from_checkpoint(inside.base, loras=[LIGHTNING])
    options, _ = edit._options("make it blue", None, None, None, None)
    assert options == SamplingOptions(
        num_steps=4,
        guidance_scale=1.0,
        use_gate=False,
        timesteps=lightning_timesteps(),
    )
    photo = np.zeros((40, 50, 3), np.uint8)
    with pytest.raises(UserError, match="distilled for 4 steps, not 3"):
        edit(photo, "make it blue", num_steps=3)
    with pytest.raises(UserError, match="guidance=2 would spoil"):
        edit(photo, "make it blue", guidance=2.0)


def test_other_loras_leave_the_sampler_alone(inside):
    plain = EditPipeline.from_checkpoint(inside.base)
    edit = EditPipeline.from_checkpoint(inside.base, loras=["style.safetensors"])
    asked = ("make it blue", None, None, None, None)
    assert edit._options(*asked) == plain._options(*asked)
    kernels = [
        x._model.parts["params"]["transformer_blocks"]["attn"]["to_q"]["kernel"]
        for x in (plain, edit)
    ]
    assert np.any(np.asarray(kernels[0] != kernels[1]))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ([f"adapter.files={LIGHTNING}"], "is a step-distilled LoRA"),
        (
            [f"adapter.files={LIGHTNING}", "adapter.as=pattern_shifting"],
            "is a step-distilled LoRA",
        ),
        (["base=Some-Edit-Lightning"], "is a step-distilled checkpoint"),
        (
            ["model.compatible=diffusers", "model.transformer.source_attention=cached"],
            "needs model.transformer.source_attention=full, not cached",
        ),
        (
            ["model.compatible=diffusers", "model.transformer.source_time=same"],
            "needs the base's model.transformer.source_time=zero, not same",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(inside, settings, sentence, capsys):
    link = pathlib.Path("Some-Edit-Lightning")
    if not link.exists():
        link.symlink_to(inside.base)
    assert run_command(stage1.main, stage_arguments(inside, *settings)) == 2
    assert sentence in capsys.readouterr().err


SMALL = (
    "data.global_batch=1",
    "evaluation.num_pairs=1",
    "evaluation.num_previews=0",
    "evaluation.num_steps=1",
)


@pytest.fixture(scope="module")
def runs(place):
    """The runs of stage 1 in the docs, one step each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place.root)
        for arguments in doc_commands("python -m experiments.stage1"):
            argv = [*arguments[3:], *stage_arguments(place, *SMALL), "--steps=1"]
            assert run_command(stage1.main, argv) == 0
    return place


@pytest.fixture
def trained(runs, monkeypatch):
    monkeypatch.chdir(runs.root)
    return pathlib.Path("runs/tiny/stage1"), pathlib.Path("runs/tiny/continued")


def test_a_merge_is_another_base(place, trained):
    merged, continued = trained
    plain = load_weights(place.base).base_identity
    identities = [
        read_metadata(workdir / "checkpoints")["base_identity"]
        for workdir in (merged, continued)
    ]
    assert identities[0] != plain
    assert identities[1] == plain


def test_the_next_stage_needs_the_same_merge(place, trained, capsys):
    argv = [*stage_arguments(place, *SMALL), "--steps=1"]
    assert run_command(stage2.main, argv) == 2
    assert "base_identity" in capsys.readouterr().err


def test_a_run_goes_on_with_the_same_file_only(place, trained, capsys):
    argv = [*stage_arguments(place, *SMALL), "--steps=2"]
    assert run_command(stage1.main, argv) == 2
    assert "adapter.files is None" in capsys.readouterr().err
    path = pathlib.Path("style.safetensors")
    before = path.read_bytes()
    params = load_weights(place.base).parts["params"]
    write_lora(path, draw_lora(params, {STYLE}, seed=1), "kohya")
    try:
        argv.append("--set=adapter.files=style.safetensors")
        assert run_command(stage1.main, argv) == 2
    finally:
        path.write_bytes(before)
    assert "base_identity" in capsys.readouterr().err


def test_a_merged_base_is_exported_whole_and_known_again(trained, tmp_path):
    merged, _ = trained
    for _ in range(2):
        weights = export.export_stage(merged, tmp_path / "out").weights
    kernel = weights.parts["params"]["transformer_blocks"]["attn"]["to_q"]["kernel"]
    base = load_weights(pathlib.Path("base")).parts["params"]
    before = base["transformer_blocks"]["attn"]["to_q"]["kernel"]
    down, up, alpha = draw_lora(base, {STYLE})[STYLE]
    expected = before[1] + alpha / 3 * (up @ down).T
    np.testing.assert_allclose(kernel[1], expected, rtol=0, atol=1e-6)


def test_the_export_of_a_merged_base_is_no_lora(trained, tmp_path):
    merged, _ = trained
    with pytest.raises(UserError, match=r"into which style\.safetensors was merged"):
        export.export_lora(merged, tmp_path / "x.safetensors", "diffusers")


def test_a_compatible_run_is_exported_with_full_attention(trained, tmp_path):
    _, continued = trained
    config = export.export_stage(continued, tmp_path / "out").weights.config
    assert config.compatible == "diffusers"
    assert config.transformer.source_attention == "full"


def moving_average(workdir):
    """The model of a run and its modules, as its checkpoint has them."""
    metadata = read_metadata(workdir / "checkpoints")
    model = TBStar(from_dict(ModelConfig, metadata["config"]["model"]))
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    abstract = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        abstract_variables(model)["pattern_shifting"],
    )
    restored = restore_checkpoint(
        workdir / "checkpoints", abstract, expected={}, part="ema/pattern_shifting"
    )
    return model, restored.state


def test_the_exports_run_as_typed_and_go_on_from_the_file(place, trained):
    for arguments in doc_commands("python -m experiments.export"):
        assert run_command(export.main, arguments[3:]) == 0
    style, ours, comfyui = (
        read_lora(parse_lora_file(f"{name}.safetensors"), 2)
        for name in ("style", "product", "comfyui")
    )
    assert len(ours.updates) == 2 * 12
    for name, update in ours.updates.items():
        np.testing.assert_array_equal(update.down, comfyui.updates[name].down)
        np.testing.assert_array_equal(update.up, comfyui.updates[name].up)
        assert update.scale == 1
    before, after = style.updates[STYLE], ours.updates[STYLE]
    expected = before.up @ before.down * np.float32(before.scale)
    change = np.abs(after.up @ after.down - expected).max()
    assert 0 < change < 0.02 * np.abs(expected).max()  # one small step


def test_what_we_trained_is_the_same_in_diffusers(place, trained):
    import torch
    from diffusers import QwenImageTransformer2DModel

    _, continued = trained
    export.export_lora(continued, pathlib.Path("product.safetensors"), "diffusers")
    reference = QwenImageTransformer2DModel.from_pretrained(
        place.base, subfolder="transformer", torch_dtype=torch.float32
    ).eval()
    rng = np.random.default_rng(0)
    tokens = [rng.standard_normal((1, h * w, 64), np.float32) for h, w in GRIDS]
    context = rng.standard_normal((1, 5, 32), np.float32)
    time = np.asarray([0.6], np.float32)

    def theirs():
        with torch.no_grad():
            output = reference(
                hidden_states=torch.from_numpy(np.concatenate(tokens, axis=1)),
                encoder_hidden_states=torch.from_numpy(context),
                timestep=torch.from_numpy(time),
                img_shapes=[[(1, h, w) for h, w in GRIDS]],
                return_dict=False,
            )[0]
        return output.numpy()[:, : tokens[0].shape[1]]

    plain = theirs()
    reference.load_lora_adapter(
        pathlib.Path().resolve(), weight_name="product.safetensors"
    )
    expected = theirs()
    model, tree = moving_average(continued)
    output = jax.jit(
        lambda variables, *arrays: model.apply(
            variables, *arrays, target_grid=GRIDS[0], source_grids=GRIDS[1:]
        )
    )(
        {"params": load_weights(place.base).parts["params"], "pattern_shifting": tree},
        tokens[0],
        time,
        context,
        jnp.asarray([5], jnp.int32),
        (tokens[1],),
    )
    assert np.abs(plain - expected).max() > 100 * TOLERANCE
    np.testing.assert_allclose(output.velocity, expected, rtol=0, atol=TOLERANCE)
