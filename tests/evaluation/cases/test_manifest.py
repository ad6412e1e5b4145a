"""The shipped digests are those of what is drawn here."""

import dataclasses

from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.cases.manifest import (
    MANIFEST_SPLITS,
    check_manifest,
    explain,
    parameter_digest,
    read_manifest,
)
from tbstar_jax.evaluation.cases.seeds import BENCHMARK_VERSION
from tbstar_jax.evaluation.cases.splits import case_names


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


def test_parameters_of_the_large_splits_are_what_was_published() -> None:
    for split in MANIFEST_SPLITS:
        known = read_manifest(split)["cases"]
        if read_manifest(split)["digest_of"] == "pixels":
            continue
        for task, index in case_names(split)[::9]:
            id = f"{split}/{task}/{index:03d}"
            assert parameter_digest(split, task, index) == known[id]


def test_the_versions_are_told() -> None:
    assert "numpy" in explain("smoke")
    assert "pillow" in explain("smoke")
