"""`data.build`, when settings, photos or patience change between two runs."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from skimage import data as photos

from data import build
from tbstar_jax.data_engine.store.index import read_index, write_statuses
from tbstar_jax.errors import UserError, run_command

SETTINGS = {
    "construct.methods": "layout",
    "construct.num_records": "4",
    "construct.records_per_shard": "2",
    "construct.size": "64",
    "mix.test_share": "0",
}
STRICT = "filter.profile.limits.max_changed_share=0.0"


def run(out, stage, *changes, flags=()):
    settings = SETTINGS | dict(change.split("=") for change in changes)
    build.main(
        [
            f"--stage={stage}",
            f"--out={out}",
            "--workers=1",
            *flags,
            *(f"--set={name}={value}" for name, value in settings.items()),
        ]
    )


def statuses(directory):
    return read_index(directory)["status"].to_pylist()


def test_a_decision_of_before_does_not_outlive_its_limit(tmp_path):
    """Shards that a rebuild takes over are decided by the limits of now."""
    more = "construct.num_records=6"
    run(tmp_path / "fresh", "construct", more)
    run(tmp_path / "fresh", "filter", more)
    run(tmp_path / "shop", "construct")
    run(tmp_path / "shop", "filter", STRICT)
    strict = statuses(tmp_path / "shop" / "filtered" / "layout")
    run(tmp_path / "shop", "construct", more, flags=["--rebuild"])
    run(tmp_path / "shop", "filter", more, flags=["--rebuild"])
    wanted = statuses(tmp_path / "fresh" / "filtered" / "layout")
    assert strict != wanted[:4]
    assert statuses(tmp_path / "shop" / "filtered" / "layout") == wanted


def test_a_single_stage_notices_what_its_input_was_made_from(tmp_path):
    for stage in ("construct", "filter", "augment", "mix"):
        run(tmp_path, stage)
    run(tmp_path, "filter", STRICT)
    with pytest.raises(UserError, match=r"augmented/layout was made from .*/fil"):
        run(tmp_path, "mix")
    run(tmp_path, "augment", STRICT, flags=["--rebuild"])
    run(tmp_path, "mix")
    run(tmp_path, "construct", flags=["--rebuild", "--seed=1"])
    for stage in ("augment", "mix"):
        with pytest.raises(UserError, match=r"filtered/layout was made .*--stage=filt"):
            run(tmp_path, stage)
    run(tmp_path, "filter", flags=["--rebuild", "--seed=1"])
    run(tmp_path, "construct", "construct.methods=studio")
    with pytest.raises(UserError, match="constructed/studio has not been through"):
        run(tmp_path, "augment")
    run(tmp_path, "all", flags=["--rebuild", "--seed=1"])
    mixture = json.loads((tmp_path / "mixtures" / "stage1.json").read_text())
    paths = {entry["path"] for entry in mixture["entries"]}
    assert paths == {"../augmented/layout", "../augmented/studio"}


def test_other_limits_decide_again_about_what_was_augmented(tmp_path, capsys):
    """Also where they change no status of the pairs that it was made from."""
    for stage in ("construct", "filter", "augment"):
        run(tmp_path, stage)
    directory = tmp_path / "augmented" / "layout"
    before = statuses(directory)
    index = read_index(directory)
    planted = np.full(len(index), "flagged:widespread", object)
    write_statuses(directory, index, planted)
    capsys.readouterr()
    run(tmp_path, "filter")
    assert statuses(directory) == before != planted.tolist()
    assert "augmented/layout" in capsys.readouterr().out
    run(tmp_path, "mix")


def test_missing_photos_are_missed_before_anything_is_built(tmp_path):
    (tmp_path / "pairs").mkdir()
    lines = tmp_path / "pairs" / "pairs.jsonl"
    lines.write_text('{"image": "b.png", "edit_image": "a.png", "prompt": "x"}\n')
    pairs = [f"--source={lines}", "--convention=diffsynth-jsonl"]
    for stage, flags in (("construct", []), ("all", []), ("all", pairs)):
        with pytest.raises(UserError, match="overlay make pairs of photos, but there"):
            run(tmp_path, stage, "construct.methods=layout,overlay", flags=flags)
    assert [path.name for path in tmp_path.iterdir()] == ["pairs"]


def test_a_limit_of_instructions_holds_from_construct_to_mix(tmp_path, capsys):
    def longest(place):
        return read_index(tmp_path / place)["instruction_bytes"].to_pylist()

    limit = "max_instruction_bytes=70"
    for stage in ("construct", "filter", "augment"):
        run(tmp_path, stage, "construct.methods=layout,studio", limit)
    for name in ("layout", "studio"):
        made = longest(f"constructed/{name}") + longest(f"augmented/{name}")
        assert 40 < max(made) <= 70
    capsys.readouterr()
    run(tmp_path, "mix", "mix.max_instruction_bytes=60")
    lengths = longest("augmented/layout") + longest("augmented/studio")
    num_long = sum(length > 60 for length in lengths)
    mixture = json.loads((tmp_path / "mixtures" / "stage1.json").read_text())
    taken = sum(entry["num_records"] for entry in mixture["entries"])
    assert taken == len(lengths) - num_long > 0
    assert f"\n{num_long} more pairs have an instr" in capsys.readouterr().out
    with pytest.raises(UserError, match="raise mix"):
        run(tmp_path, "mix", "mix.max_instruction_bytes=3")
    run(tmp_path, "mix", "mix.max_instruction_bytes=60", "mix.test_share=0.5")
    assert 0 < max(longest("heldout")) <= 60


def test_pairs_of_photos_that_have_changed_are_not_filtered_unseen(tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "shop"
    folder.mkdir()
    overlay = "construct.methods=overlay"
    source = [f"--source={folder}", "--rebuild"]
    Image.fromarray(photos.coffee()).resize((120, 80)).save(folder / "coffee.png")
    Image.fromarray(photos.cat()).resize((500, 100)).save(folder / "banner.png")
    run(out, "collect", flags=source)
    (line,) = (out / "collected/read-photos/rejects.jsonl").read_text().splitlines()
    assert json.loads(line)["row"].startswith("banner.png (")
    (hashes,) = (out / "collected").glob("hashes-*.npz")
    before = hashes.stat().st_mtime_ns
    run(out, "collect", flags=source)
    assert hashes.stat().st_mtime_ns == before
    run(out, "construct", overlay)
    Image.fromarray(photos.astronaut()).resize((90, 90)).save(folder / "more.png")
    run(out, "collect", flags=source)
    assert [*(out / "collected").glob("hashes-*.npz")] != [hashes]
    with pytest.raises(UserError, match="constructed/overlay was made from another"):
        run(out, "filter")
    run(out, "construct", overlay, flags=["--rebuild"])
    run(out, "filter", overlay)
    assert len(statuses(out / "filtered" / "overlay")) == 4


def test_what_makes_or_keeps_nothing_does_not_end_the_others(tmp_path, capsys):
    """A photo that the expert declines, and a set of which no pair is kept."""
    (tmp_path / "photos").mkdir()
    flat = Image.new("RGB", (96, 96), "white")
    flat.save(tmp_path / "photos" / "flat.png")
    out, both = tmp_path / "shop", "construct.methods=expert,layout"
    run(out, "collect", flags=[f"--source={tmp_path / 'photos'}"])
    with pytest.raises(UserError, match="stage expert made no record of 1 units"):
        run(out, "construct", "construct.methods=expert")
    run(out, "construct", both)
    assert "no pairs by expert: stage expert made no record" in capsys.readouterr().out
    run(out, "construct", "construct.methods=studio")
    run(out, "filter")
    index = read_index(out / "filtered" / "studio")
    write_statuses(
        out / "filtered" / "studio", index, np.full(4, "rejected:planted", object)
    )
    run(out, "augment")
    assert "studio is kept; nothing to augment" in capsys.readouterr().out
    run(out, "mix")
    mixture = json.loads((out / "mixtures" / "stage1.json").read_text())
    assert [one["path"] for one in mixture["entries"]] == ["../augmented/layout"]


def test_the_configuration_of_every_stage_is_kept(tmp_path):
    run(tmp_path, "construct")
    run(tmp_path, "filter", "construct.num_records=7", STRICT)
    with pytest.raises(UserError, match="--rebuild"):
        run(tmp_path, "construct", "construct.num_records=9")
    found = {
        path.stem: json.loads(path.read_text())["construct"]["num_records"]
        for path in (tmp_path / "configs").iterdir()
    }
    assert found == {"construct": 4, "filter": 7}


def test_a_file_in_the_way_is_one_sentence(tmp_path, capsys):
    (tmp_path / "file").touch()
    flags = ["--stage=construct", f"--out={tmp_path / 'file'}"]
    assert run_command(build.main, flags) == 2
    assert "where no folder can be made" in capsys.readouterr().err


_HEEDING_SIGINT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_ctrl_c_ends_all_processes_at_once_with_one_sentence(tmp_path):
    units = tmp_path / "constructed" / "layout.units"
    command = [
        # Whoever started the tests may ignore this signal, which is inherited.
        *(sys.executable, "-c", _HEEDING_SIGINT),
        *("-m", "data.build", "--stage=construct", "--workers=2"),
        *(f"--out={tmp_path}", "--set=construct.methods=layout"),
        *("--set=construct.num_records=4000", "--set=construct.records_per_shard=2000"),
    ]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while not list(units.glob("*.shard.tmp")) and time.monotonic() < deadline:
                time.sleep(0.05)
            start = time.monotonic()
            os.killpg(process.pid, signal.SIGINT)
            # The pipe ends when the last of the processes has.
            error = process.communicate(timeout=60)[1]
            assert time.monotonic() - start < 4
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert error.splitlines()[-1].startswith("interrupted; what is finished is kept")
    assert "Traceback" not in error
