"""What a user may type wrong: one sentence, before anything is drawn or written."""

import re
import socket

import numpy as np
import pytest

from experiments import benchmark
from experiments.benchmark_commands import COMMANDS, PARTS
from experiments.benchmark_flags import parse_run
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import BENCHMARK_TASKS
from tbstar_jax.input_pipeline.images import encode_png
from tests.support.loopback import Answer, elapsed, serving


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory, with folders of photos and pictures as users have them."""
    files = {
        "photos/a.png": encode_png(np.full((200, 200, 3), 200, np.uint8)),
        "broken/a.png": encode_png(np.full((200, 200, 3), 200, np.uint8)),
        "broken/b.png": b"no picture",
        "other/a.png": b"any",
        "model/readme.txt": b"no weights",
        "finished/run.json": b"{}",
        "file": b"",
        "latin.yaml": "model: Größe".encode("latin-1"),
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_named_like_an_anchor_gets_another_name(tmp_path):
    folder = tmp_path / "reference"
    flags = parse_run([f"--outputs={folder}"])
    assert flags.name == "reference-system"
    assert flags.out.parts[-2:] == ("reference-system", "mini")
    assert parse_run([f"--outputs={tmp_path / 'ours'}"]).name == "ours"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["listt"], "no command 'listt' (did you mean 'list'?); the commands are list"),
        (
            ["xyzzy"],
            "no command 'xyzzy'; the commands are list, cases, validate, compare",
        ),
        (["judges", "x"], "did you mean 'judge'?"),
        (["--tasks=foo"], "'foo', which is no task of the benchmark; its 16 tasks are"),
        (["--tasks=move"], "'move', which is no task of the benchmark; its 16"),
        (["--tasks=identity"], "'identity', which is no task of the benchmark"),
        (["cases", "--tasks=move"], "'move', which is no task of the benchmark"),
        (["audit", "--tasks=move"], "'move', which is no task of the benchmark"),
        (
            ["--photos=photos", "--tasks=recolor"],
            "'recolor', which is no task of the benchmark on photos; its 7 tasks",
        ),
        (["--judge=none.yaml"], "there is no file none.yaml; it should hold the"),
        (["--learned=none.yaml"], "there is no file none.yaml; it should hold the"),
        (["--judge=latin.yaml"], "latin.yaml is no text in UTF-8"),
        (["--judge=empty"], "empty cannot be read: Is a directory"),
        (["--outputs=nowhere"], "there is no folder nowhere with the outputs"),
        (["--outputs=other/a.png"], "there is no folder other/a.png with the outputs"),
        (["--outputs=empty"], "empty holds no picture (.png, .jpg"),
        (["--checkpoint=nowhere"], "there is no folder nowhere with weights"),
        (["--checkpoint=model"], "model is not a weights folder"),
        (["--outputs=other", "--vae=nowhere"], "there is no folder nowhere with"),
        (["--outputs=other", "--out=file"], "--out is file, a file"),
        (["--photos=nowhere"], "nowhere is neither a folder of photos nor a JSON"),
        (["--photos=photos/a.png"], "for a photo, name its folder, photos"),
        (["--photos=empty"], "empty has no photos: files .png"),
        (["--photos=broken"], "broken/b.png is not a readable PNG"),
        (["--endpoint=host:80", "--model=m"], "--endpoint: the base URL is not"),
        (["--endpoint=http://h", "--model=m", "--concurrency=0"], "--concurrency is 0"),
        (
            ["--outputs=other", "--name=reference"],
            "=reference is the name of an anchor",
        ),
        (["--name=copy_input"], "=copy_input is the name of an anchor"),
        (
            ["cases", "--split=smoke", "--cases=finished"],
            "finished is the folder of a run",
        ),
        (["compare", "r1", "r1"], "r1 and r1 are one folder"),
        (["compare", "r1", "./r2/../r1"], "are one folder"),
        (["gap", "r1", "r1"], "one folder, and a run differs in nothing from itself"),
        (["rejudge", "r1"], "arguments are required: --judge"),
        (["rejudge", "r1", "--judge=j.yaml"], "r1 holds no benchmark run"),
    ],
)
def test_it_is_said_in_a_sentence_before_anything_is_made(options, sentence, here):
    before = sorted(here.rglob("*"))
    with pytest.raises(UserError, match=re.escape(sentence)) as caught:
        benchmark.main(options)
    assert "Errno" not in str(caught.value)
    assert sorted(here.rglob("*")) == before


def test_a_wrong_task_is_answered_with_the_benchmarks_own():
    with pytest.raises(UserError) as caught:
        benchmark.main(["--tasks=foo"])
    assert str(caught.value).endswith(f"tasks are {', '.join(BENCHMARK_TASKS)}")


def test_pictures_of_no_prompt_make_no_run(here):
    options = ["--split=smoke", "--tasks=recolor", "--workers=1", "--cases=cases"]
    with pytest.raises(UserError, match="picture of none of the 2 prompts"):
        benchmark.main([*options, "--outputs=other", "--out=run"])
    assert not (here / "run").exists()


def test_an_endpoint_where_nobody_listens_is_missed_at_once(here):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(UserError, match=f"nothing answers at {url}.*--endpoint"):
            benchmark.main([f"--endpoint={url}", "--model=m"])
    assert not (here / "runs").exists()


def test_an_endpoint_that_is_gone_ends_a_run_that_goes_on_in_seconds(here):
    with serving(Answer()) as (url, _):
        pass
    (here / "run/outputs").mkdir(parents=True)
    options = ["--split=smoke", "--tasks=recolor", "--workers=1"]
    benchmark.main(["cases", *options])
    options += [f"--endpoint={url}", "--model=m", "--concurrency=1", "--samples=4"]

    def go_on():
        with pytest.raises(UserError, match=f"nothing answers at {url} .connection"):
            benchmark.main([*options, "--out=run"])

    assert elapsed(go_on)[0] < 10


def test_the_help_says_what_runs_and_what_every_command_is_for(capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["--help"])
    told = capsys.readouterr().out
    assert "When nothing is given, the tiny checkpoint that is shipped edits" in told
    assert "split mini" in told
    assert "minutes" in told
    for name, purpose in COMMANDS.items():
        assert f"\n  {name:<12}{purpose}\n" in f"{told}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(name, capsys):
    with pytest.raises(SystemExit) as left:
        benchmark.main([name, "--help"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert "usage: python -m experiments.benchmark" in told
    assert all(part in told for part in PARTS.get(name, ()))
