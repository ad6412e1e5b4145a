"""Files that are wrong: each is one sentence that says what to do."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tbstar_jax.convert.huggingface import load_tree, tree_from_tensors
from tbstar_jax.convert.key_map import KeyRow
from tbstar_jax.convert.tensor_files import open_component, open_file
from tbstar_jax.convert.tensor_writer import outgoing, write_component
from tbstar_jax.errors import UserError

STEM = "diffusion_pytorch_model"
ROWS = [
    KeyRow(theirs="blocks.{}.weight", ours="blocks/kernel", form="linear"),
    KeyRow(theirs="out.bias", ours="out/bias", form="vector"),
]


def _tensors():
    rng = np.random.default_rng(0)
    return {
        "blocks.0.weight": rng.standard_normal((3, 5)).astype(np.float32),
        "blocks.1.weight": rng.standard_normal((3, 5)).astype(np.float32),
        "out.bias": rng.standard_normal(4).astype(np.float32),
    }


def _write(directory, tensors=None, max_shard_bytes=70):
    tensors = _tensors() if tensors is None else tensors
    ready = {name: outgoing(tensor) for name, tensor in tensors.items()}
    write_component(directory, STEM, ready, max_shard_bytes)
    return directory


def _index(directory):
    return directory / f"{STEM}.safetensors.index.json"


def _shard(directory, number):
    return directory / f"{STEM}-0000{number}-of-00003.safetensors"


def _tree(directory):
    return tree_from_tensors(open_component(directory), ROWS, num_layers=2)


def test_what_is_written_in_shards_is_read(tmp_path):
    tensors = open_component(_write(tmp_path))
    assert len({tensor.path for tensor in tensors.values()}) == 3
    for name, expected in _tensors().items():
        np.testing.assert_array_equal(tensors[name][tensors[name].whole], expected)


def test_a_written_file_is_what_the_library_reads(tmp_path):
    given = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.arange(3).astype(ml_dtypes.bfloat16),
        "c": np.full((), 2, np.float32),
        "d": np.zeros((0, 4), np.float16),
    }
    _write(tmp_path, given, max_shard_bytes=10**6)
    read = load_file(tmp_path / f"{STEM}.safetensors")
    assert sorted(read) == sorted(given)
    for name, array in given.items():
        np.testing.assert_array_equal(read[name], array, strict=True)


def test_writing_again_leaves_no_older_file(tmp_path):
    _write(tmp_path)
    _write(tmp_path, max_shard_bytes=10**6)
    assert [path.name for path in tmp_path.iterdir()] == [f"{STEM}.safetensors"]


def test_only_the_asked_part_of_a_tensor_comes(tmp_path):
    tensor = open_component(_write(tmp_path))["blocks.1.weight"]
    part = tensor[1:3, 2:4]
    np.testing.assert_array_equal(part, _tensors()["blocks.1.weight"][1:3, 2:4])


def test_blocks_are_transposed_and_stacked(tmp_path):
    kernel = _tree(_write(tmp_path))["blocks"]["kernel"]
    tensors = _tensors()
    expected = np.stack([tensors[f"blocks.{i}.weight"].T for i in range(2)])
    np.testing.assert_array_equal(kernel, expected)


def _replace_in_index(directory, change):
    content = json.loads(_index(directory).read_text())
    change(content)
    _index(directory).write_text(json.dumps(content))


def _escape(name):
    def change(directory):
        _replace_in_index(
            directory, lambda content: content["weight_map"].update({"out.bias": name})
        )

    return change


def _cut(directory):
    path = _shard(directory, 2)
    path.write_bytes(path.read_bytes()[:-4])


def _promise(directory):
    change = {"extra.weight": f"{STEM}-00001-of-00003.safetensors"}
    _replace_in_index(directory, lambda content: content["weight_map"].update(change))


def _forget(directory):
    _replace_in_index(
        directory, lambda content: content["weight_map"].pop("blocks.0.weight")
    )
    _shard(directory, 1).rename(directory / "unused.txt")


def _leave_out(directory):
    _write(directory, {n: t for n, t in _tensors().items() if n != "out.bias"})


def _widen(directory):
    _write(directory, {**_tensors(), "blocks.1.weight": np.zeros((3, 6), np.float32)})


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_cut, "00002-of-00003.safetensors cannot be read .*cut short"),
        (lambda d: _shard(d, 3).unlink(), "lacks 1 of 3 shards .*00003-of.*download"),
        (lambda d: _index(d).unlink(), "several sets of weights"),
        (lambda d: _index(d).write_text("{"), "is no index of shards"),
        (lambda d: _index(d).write_text("[]"), "is no index of shards"),
        (_escape("../../secret.safetensors"), "which is no file beside it"),
        (_escape("/etc/passwd"), "which is no file beside it"),
        (_escape("..\\secret.safetensors"), "which is no file beside it"),
        (_escape(7), "which is no file beside it"),
        (_escape("model.bin"), "which is no .safetensors file"),
        (_promise, r"is not the shard of .* 1 tensors missing \(extra.weight\)"),
        (_forget, r"1 tensors missing \(blocks.0.weight\), 0 left over"),
        (_leave_out, r"1 tensors missing \(out.bias\)"),
        (_widen, r"blocks.1.weight \(3, 6\) instead of \(3, 5\)"),
    ],
)
def test_damaged_shards_are_one_sentence(tmp_path, damage, sentence):
    _write(tmp_path)
    damage(tmp_path)
    with pytest.raises(UserError, match=sentence):
        _tree(tmp_path)


def test_a_shard_with_a_tensor_more_is_refused(tmp_path):
    _write(tmp_path)
    path = _shard(tmp_path, 1)
    save_file({**load_file(path), "stray": np.zeros(2, np.float32)}, path)
    with pytest.raises(UserError, match=r"1 left over \(stray\)"):
        open_component(tmp_path)


def test_a_tensor_too_many_is_named(tmp_path):
    _write(tmp_path, {**_tensors(), "stray.weight": np.zeros(2, np.float32)})
    with pytest.raises(UserError, match=r"1 left over \(stray.weight\)"):
        _tree(tmp_path)


def test_shapes_are_compared_with_the_model(tmp_path):
    import jax

    from tbstar_jax.convert.huggingface import families

    expected = {
        "blocks": {"kernel": jax.ShapeDtypeStruct((2, 5, 3), np.float32)},
        "out": {"bias": jax.ShapeDtypeStruct((9,), np.float32)},
    }
    tensors = open_component(_write(tmp_path))
    with pytest.raises(UserError, match=r"out.bias \(4,\) instead of \(9,\)"):
        load_tree(tensors, families(ROWS, 2), expected=expected)


def test_whole_numbers_are_no_weights(tmp_path):
    _write(tmp_path, {**_tensors(), "out.bias": np.zeros(4, np.int32)})
    with pytest.raises(UserError, match=r"out.bias in .* is stored as I32"):
        _tree(tmp_path)


def test_blocks_of_different_dtypes_need_a_choice(tmp_path):
    tensors = _tensors()
    _write(
        tmp_path,
        {**tensors, "blocks.1.weight": tensors["blocks.1.weight"].astype(np.float16)},
    )
    with pytest.raises(UserError, match=r"different dtypes \(blocks/kernel\)"):
        _tree(tmp_path)


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"a.weight": np.zeros(2, ml_dtypes.float8_e4m3fn)}, "an fp8 file"),
        ({"a.scale_weight": np.ones(1, np.float32)}, "an fp8-scaled file"),
        ({"scaled_fp8": np.ones(1, np.float32)}, "an fp8-scaled file"),
        ({"a.wscales": np.ones(1, np.float32)}, r"an SVDQuant \(Nunchaku\) file"),
        ({"a.qweight": np.ones(1, np.int8)}, r"an SVDQuant \(Nunchaku\) file"),
        ({"a.weight.absmax": np.ones(1, np.float32)}, "a bitsandbytes file"),
    ],
)
def test_quantised_weights_are_refused_by_their_kind(tmp_path, tensors, sentence):
    path = tmp_path / "model.safetensors"
    save_file(tensors, path)
    with pytest.raises(UserError, match=f"{sentence}.*use the BF16"):
        open_file(path)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("model.bin", b"PK\x03\x04", "a pickle, which can run code"),
        ("model.ckpt", b"\x80\x02", "a pickle, which can run code"),
        ("model.safetensors", b"PK\x03\x04", "a pickle, which can run code"),
        ("model.gguf", b"GGUF", "a GGUF file"),
        ("model.safetensors", b"GGUF", "a GGUF file"),
        ("model.safetensors", b"version https://git-lfs.x", "a Git LFS pointer"),
        ("model.safetensors", b"", "cannot be read"),
        ("model.txt", b"", "is not a .safetensors file"),
    ],
)
def test_other_formats_are_refused_by_their_kind(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        open_file(tmp_path / name)


def test_a_folder_of_pickles_is_refused_as_that(tmp_path):
    (tmp_path / "diffusion_pytorch_model.bin").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match="a pickle, which can run code"):
        open_component(tmp_path)


def test_an_absent_file_or_folder_is_said_to_be_absent(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        open_file(tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="there is no folder"):
        open_component(tmp_path / "transformer")
