"""The shipped digests are those of what is drawn here."""

import dataclasses
import json
from pathlib import Path

import pytest

from tbstar_jax.evaluation.cases.case import Case, Split
from tbstar_jax.evaluation.cases.folder import CaseFolder
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.cases.manifest import (
    MANIFEST_SPLITS,
    check_manifest,
    explain,
    make_manifest,
    read_manifest,
)
from tbstar_jax.evaluation.cases.seeds import BENCHMARK_VERSION, versions
from tbstar_jax.evaluation.cases.splits import case_names
from tbstar_jax.evaluation.cases.store import write_cases


def test_smoke_is_what_was_published(smoke: tuple[Case, ...]) -> None:
    assert check_manifest(smoke) == []


def test_mini_is_what_was_published() -> None:
    cases = [make_case("mini", task, 1) for task in ("bg_white", "watermark_remove")]
    assert check_manifest(cases) == []


def test_another_pixel_is_reported(smoke: tuple[Case, ...]) -> None:
    picture = smoke[3].source.copy()
    picture[0, 0, 0] ^= 1
    changed = dataclasses.replace(smoke[3], source=picture)
    assert check_manifest([smoke[2], changed]) == [smoke[3].id]


def test_every_split_has_a_manifest_of_all_its_cases() -> None:
    for split in MANIFEST_SPLITS:
        manifest = read_manifest(split)
        assert manifest["bench_version"] == BENCHMARK_VERSION
        assert len(set(manifest["cases"].values())) == len(case_names(split))


@pytest.mark.parametrize(
    ("split", "task", "index"),
    [("dev", "bg_scene", 1), ("hard", "text_add", 2), ("test", "object_replace", 3)],
)
def test_one_case_of_each_large_split_is_what_was_published(
    split: Split, task: str, index: int
) -> None:
    assert check_manifest([make_case(split, task, index)]) == []


def test_the_versions_told_are_of_the_manifest_and_of_what_drew_the_cases(
    smoke: tuple[Case, ...], tmp_path: Path
) -> None:
    write_cases(smoke[:2], tmp_path)
    index = tmp_path / "cases.jsonl"
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    for line in lines[2:]:
        line["drawn_with"]["numpy"] = "1.2.3"
    index.write_text("".join(json.dumps(line) + "\n" for line in lines))
    here = versions()
    drawn_with = CaseFolder(tmp_path, None).drawn_with
    assert drawn_with == here | {"numpy": f"{here['numpy']}+1.2.3"}
    made = read_manifest("smoke")["versions"]
    assert explain("smoke", {"numpy": "1.2.3"}) == (
        f"the manifest of smoke was made with numpy {made['numpy']} (these: 1.2.3), "
        f"pillow {made['pillow']} (these: unknown)"
    )


def test_digests_go_on_where_they_were_interrupted(
    smoke: tuple[Case, ...], tmp_path: Path
) -> None:
    done = tmp_path / "digests.jsonl"
    whole = read_manifest("smoke")
    first, second, *others = whole["cases"]
    tags = {case.id: dict(case.tags) for case in smoke}
    digests = whole["cases"] | {first: "kept"}
    entries = [
        {"bench_version": version, "id": id, "digest": digest, "tags": tags[id]}
        for version, ids in ((BENCHMARK_VERSION, (*others, first)), (0, (second,)))
        for id, digest in ((id, digests[id]) for id in ids)
    ]
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    # The second is of another version; and was being written: its line has no end.
    done.write_text(f'{lines}{{"id": "{second}"')
    again = make_manifest("smoke", num_workers=2, done=done)
    assert again == whole | {
        "cases": whole["cases"] | {first: "kept"},
        "versions": versions(),
    }
    assert list(again["cases"]) == list(whole["cases"])
    assert make_manifest("smoke", done=done) == again
