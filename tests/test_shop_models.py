"""`python -m data.build --set ...`: models of your own, in ONNX files."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data import build
from tbstar_jax.data_engine.construct.classical.segmented import SegmentedExpert
from tbstar_jax.data_engine.local_models import SegmentationModel
from tbstar_jax.data_engine.store.index import read_index
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.records import RecordSource
from tbstar_jax.metrics.onnx_model import OnnxImageModel
from tests.support import onnx_files

SIDE = 96


def photo(level):
    """A product of pure red on the right, cut by three borders; a wall on the left."""
    wall = np.random.default_rng(level).integers(level - 9, level + 10, (SIDE, SIDE, 1))
    picture = np.repeat(wall, 3, axis=2).astype(np.uint8)
    picture[:, SIDE // 2 :] = (255, 0, 0)
    return picture


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    paths = {
        "score": onnx_files.brightness(folder / "score.onnx"),
        "head": onnx_files.weighted(folder / "head.onnx", [1, 1, 1]),
        "embedder": onnx_files.mean_colour(folder / "embedder.onnx"),
        "segmenter": onnx_files.reddish(folder / "segmenter.onnx", SIDE),
    }
    return {name: str(path) for name, path in paths.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A bright photo and a dark one, whose background may become white."""
    folder = tmp_path_factory.mktemp("photos")
    rows = []
    for name, level in (("bright", 200), ("dark", 20)):
        Image.fromarray(photo(level)).save(folder / f"{name}.png")
        rows.append({"image": f"{name}.png", "auxiliary": {"tasks": ["bg_white"]}})
    lines = [json.dumps(row) for row in rows]
    (folder / "photos.jsonl").write_text("\n".join(lines))
    return folder


def as_seen(image):
    """At the model's four by four pixels."""
    return np.asarray(Image.fromarray(image).resize((4, 4), Image.Resampling.BICUBIC))


def seen_in_levels(path):
    return {"path": path, "normalisation": "unit"}


def command(out, stage, *flags, **settings):
    assigned = [f"--set={name}={value}" for name, value in settings.items()]
    build.main([f"--stage={stage}", f"--out={out}", "--workers=1", *flags, *assigned])


def columns(directory, *names):
    table = read_index(directory)
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def collect(out, folder, models, **more):
    aesthetic = json.dumps({"model": seen_in_levels(models["score"])})
    source = f"--source={folder / 'photos.jsonl'}"
    command(out, "collect", source, **{"collect.aesthetic": aesthetic, **more})
    return columns(out / "collected" / "photos", "score.aesthetic", "status")


def test_photos_are_scored_and_the_dark_one_rejected(folder, models, tmp_path, capsys):
    """Half red is a third; of the wall its level: 10 * (1/3 + level/255) / 2."""
    found = collect(tmp_path, folder, models)
    scores = [score for score, _ in found]
    expected = [10 * (1 / 3 + level / 255) / 2 for level in (200, 20)]
    assert scores == pytest.approx(expected, abs=0.05)
    assert [status for _, status in found] == ["kept", "kept"]
    # Another threshold reads the index alone.
    found = collect(tmp_path, folder, models, **{"collect.min_aesthetic": 3})
    assert found == [(scores[0], "kept"), (scores[1], "rejected:aesthetic")]
    assert "kept 1, rejected:aesthetic 1" in capsys.readouterr().out


def test_a_photo_without_a_score_does_not_pass_the_threshold(folder, models, tmp_path):
    """The embedding of black has no direction for the head."""
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.zeros((SIDE, SIDE, 3), np.uint8)).save(
        tmp_path / "photos" / "black.png"
    )
    Image.fromarray(photo(200)).save(tmp_path / "photos" / "bright.png")
    model = {
        "model": seen_in_levels(models["embedder"]),
        "head": {"path": models["head"]},
    }
    settings = {
        "collect.aesthetic": json.dumps(model),
        "collect.min_aesthetic": -100,
    }
    command(tmp_path / "shop", "collect", f"--source={tmp_path / 'photos'}", **settings)
    found = columns(
        tmp_path / "shop" / "collected" / "photos", "score.aesthetic", "status"
    )
    assert sorted(found, key=str)[1] == (None, "rejected:aesthetic")
    assert [status for score, status in found if score is not None] == ["kept"]


def test_pairs_are_made_by_the_segmenter_and_decided_by_the_embedder(
    folder, models, tmp_path
):
    """The product is cut by the photo's border, where GrabCut always declines."""
    out = tmp_path / "shop"
    collect(out, folder, models, **{"collect.min_aesthetic": 3})
    expert = {"construct.methods": "expert", "construct.pairs_per_photo": 1}
    with pytest.raises(UserError, match="stage expert made no record"):
        command(out, "construct", **expert)
    segmenter = {"model": seen_in_levels(models["segmenter"])}
    expert["construct.expert.segmenter"] = json.dumps(segmenter)
    command(out, "construct", "--rebuild", **expert)
    pairs = RecordSource(out / "constructed" / "expert", "train")
    assert len(pairs) == 1
    before = decode_image(pairs[0].source_images[0])
    after = decode_image(pairs[0].target_image)
    product = np.s_[:, SIDE // 2 + 4 :]
    np.testing.assert_array_equal(after[product], before[product])
    assert (after[: SIDE // 2, : SIDE // 4] == 255).all()
    model = OnnxImageModel(path=Path(models["segmenter"]), normalisation="unit")
    named = SegmentedExpert(segmenter=SegmentationModel(model=model))
    assert pairs[0].provenance["expert_fingerprint"] == named.fingerprint

    embedder = json.dumps({"model": seen_in_levels(models["embedder"])})
    limit = "filter.profile.limits.min_embedding_similarity"
    reached = []
    for value in (0.9, 0.9999):
        command(out, "filter", **{"filter.embedder": embedder, limit: value})
        (found,) = columns(
            out / "filtered" / "expert",
            "score.filter/embedding_similarity",
            "status",
        )
        colours = [as_seen(image).mean((0, 1)) for image in (before, after)]
        cosine = colours[0] @ colours[1] / np.prod(np.linalg.norm(colours, axis=1))
        assert found[0] == pytest.approx(cosine, abs=1e-6)
        reached.append(found[1])
    assert reached == ["kept", "rejected:similarity"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["collect.min_aesthetic=5"], "nothing scores photos; name a model with"),
        (
            ["filter.profile.limits.max_embedding_similarity=0.9"],
            "max_embedding_similarity is set, but nothing embeds pictures",
        ),
        (
            [
                "construct.expert.is_classical=false",
                'construct.expert.segmenter={"model":{"path":"x.onnx"}}',
            ],
            "construct.expert.segmenter finds products for the classical expert",
        ),
        (['collect.aesthetic={"model":{"path":"no.onnx"}}'], "no ONNX file no.onnx"),
        (['collect.aesthetic={"model":{"file":"x"}}'], "the unknown key 'file'"),
        (['collect.aesthetic={"model":{"path":"EMBEDDER"}}'], "a score is one value"),
    ],
)
def test_a_mistake_is_one_sentence(
    flags, sentence, folder, models, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    settings = [flag.replace("EMBEDDER", models["embedder"]) for flag in flags]
    status = run_command(
        build.main,
        [
            "--stage=collect",
            f"--source={folder / 'photos.jsonl'}",
            "--out=shop",
            "--workers=1",
            *(f"--set={one}" for one in settings),
        ],
    )
    error = capsys.readouterr().err.splitlines()[-1]
    assert status == 2
    assert error.startswith("error: ")
    assert sentence in error
