"""A user's own photos: overlays with exact answers, nothing copied."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.digest import case_digest
from tbstar_jax.evaluation.cases.photo_cases import PHOTO_TASKS, photo_cases
from tbstar_jax.evaluation.cases.store import load_cases, write_cases


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name in ("astronaut", "coffee"):
        Image.fromarray(getattr(data, name)()).save(folder / f"{name}.png")
    return folder


def test_every_task_is_made_on_every_photo(photos: Path, tmp_path: Path) -> None:
    cases = list(photo_cases(photos, seed=3, max_side=224))
    assert [case.id for case in cases] == [
        f"photo/{task}/{number:03d}" for number in (0, 1) for task in PHOTO_TASKS
    ]
    digest = hashlib.sha256((photos / "astronaut.png").read_bytes()).hexdigest()
    for case in cases:
        differs = np.any(case.source != case.reference, axis=2)
        assert differs.any()
        assert not (differs & ~case.masks.edit).any()
        assert case.generator == "photo"
        assert case.licence == "LicenseRef-user-supplied"
        assert (case.tags["photo"] == digest) == case.id.endswith("000")
    write_cases(cases, tmp_path)
    read = list(load_cases(tmp_path))
    assert [case_digest(case) for case in read] == [case_digest(one) for one in cases]


def test_a_photo_gives_the_same_cases_whatever_lies_beside_it(
    photos: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "photos.json"
    listed.write_text(json.dumps([str(photos / "coffee.png")]))
    tasks = ("watermark_remove", "outpaint")
    (first, second) = photo_cases(listed, tasks=tasks, max_side=208)
    others = list(photo_cases(photos, tasks=tasks, max_side=208))[2:]
    for one, other in zip((first, second), others, strict=True):
        assert np.array_equal(one.source, other.source)
        assert np.array_equal(one.reference, other.reference)
    (reseeded, _) = photo_cases(listed, seed=1, tasks=tasks, max_side=208)
    assert not np.array_equal(first.source, reseeded.source)


def test_what_cannot_be_used_is_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no photos"):
        list(photo_cases(tmp_path))
    with pytest.raises(UserError, match="must be some of"):
        list(photo_cases(photos, tasks=("recolor",)))
    with pytest.raises(UserError, match="neither a folder"):
        list(photo_cases(tmp_path / "absent"))
    broken = tmp_path / "broken.json"
    broken.write_text('{"a": 1}')
    with pytest.raises(UserError, match="list of paths"):
        list(photo_cases(broken))
    Image.new("RGB", (400, 60)).save(tmp_path / "thin.png")
    with pytest.raises(UserError, match="400x60"):
        list(photo_cases(tmp_path))
    (tmp_path / "thin.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="not a readable"):
        list(photo_cases(tmp_path))
