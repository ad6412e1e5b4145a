"""The README's commands: each is run by a test, and the edits are run here as typed."""

import pathlib
import re
import shlex

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.convert.folder import save_weights
from tbstar_jax.inference import cli
from tests.support.drawn_weights import draw_parts
from tests.support.reduced import reduced_model

ROOT = pathlib.Path(__file__).parents[1]

# Command as the README has it -> the test that runs it at small counts.
RUN_BY = {
    "make demo": "tests/test_demo.py",
    "DEMO_STEPS=20 make demo": "tests/test_demo.py",
    "make test": "tests/test_repository.py",
    "make lint": "tests/test_repository.py",
    "tbstar-edit mug.png 'make the mug blue' -o edited.png --mask-out mask.png": (
        "tests/test_readme.py"
    ),
    "tbstar-edit photos/ 换成纯白背景 -o edited/": "tests/test_readme.py",
    "python -m experiments.stage1 --mesh=4x2": "tests/experiments/test_stages.py",
    "python -m experiments.stage2": "tests/experiments/test_stages.py",
    "python -m experiments.export": "tests/test_export_command.py",
    "python -m experiments.pretrain": "tests/test_pretrain.py",
    "python -m data.build --preset=tiny": "tests/test_build.py",
    "python -m data.build --stage=all --source=photos/ --out=data/built/shop": (
        "tests/test_shop_build.py"
    ),
    "python -m data.build --stage=precompute --records=data/built/tiny/stage1": (
        "tests/experiments/test_precompute.py"
    ),
    "python -m experiments.demo --steps=0": "tests/test_demo.py",
    "python -m experiments.benchmark": "tests/experiments/test_benchmark.py",
    "python -m experiments.benchmark --max-instruction-bytes=94 --modules=stage2": (
        "tests/experiments/test_benchmark.py"
    ),
}
PROGRAM = re.compile(r"(DEMO_STEPS=\d+ )?make |python -m |tbstar-edit ")


def readme_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    found = [line for line in lines + spans if PROGRAM.match(line)]
    # Quotes as a shell reads them.
    return {shlex.join(shlex.split(line)) for line in found}


def test_every_command_is_run_by_a_test():
    assert readme_commands() == {shlex.join(shlex.split(line)) for line in RUN_BY}
    for line, path in RUN_BY.items():
        module = re.search(r"-m \w+\.(\w+)", line)
        if module:
            assert module[1] in (ROOT / path).read_text(encoding="utf-8")


def test_links_and_pictures_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    local = [link for link in links if not link.startswith("https://")]
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_make_names_the_programs():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-m experiments.demo" in text
    assert "-m pytest" in text


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    directory = tmp_path_factory.mktemp("weights")
    save_weights(directory, reduced_model(), draw_parts(reduced_model()))
    return directory


def test_the_edit_commands_work_as_typed(weights, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(photo).save("mug.png")
    pathlib.Path("photos").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(photo).save(pathlib.Path("photos") / name)
    lines = [line for line in RUN_BY if line.startswith("tbstar-edit")]
    for line in lines:
        arguments = [*shlex.split(line), f"--checkpoint={weights}", "--steps=1"]
        monkeypatch.setattr("sys.argv", arguments)
        assert cli.main() == 0, capsys.readouterr().err
    edited = np.asarray(Image.open("edited.png"))
    mask = np.asarray(Image.open("mask.png"))
    np.testing.assert_array_equal(edited[mask == 0], photo[mask == 0])
    assert sorted(p.name for p in pathlib.Path("edited").iterdir()) == [
        "a.png",
        "b.png",
    ]
