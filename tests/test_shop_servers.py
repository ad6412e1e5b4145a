"""`python -m data.build` with an editing server and a vision-language model.

Both are on the loopback address; the model's answers are those of one careful writer.
"""

import base64
import io
import json

import numpy as np
from PIL import Image
from skimage import data as photos

from data import build
from tbstar_jax.data_engine.store.index import read_index
from tbstar_jax.input_pipeline.images import decode_image, encode_png
from tbstar_jax.input_pipeline.records import RecordSource
from tests.support.loopback import Answer, completion, serving
from tests.support.written import DRAFT, FINE


def repaint(request, _):
    """The editing server: paints the middle blue, says where, and nothing else."""
    asked = json.loads(request.body)
    photo = np.asarray(Image.open(io.BytesIO(base64.b64decode(asked["image"]))))
    edited, mask = photo.copy(), np.zeros(photo.shape[:2], np.uint8)
    edited[20:60, 30:90] = (20, 30, 90)
    mask[20:60, 30:90] = 255
    assert asked["task"] == "recolor"
    assert asked["instruction_zh"] == DRAFT["instruction_zh"]
    answer = {
        name: base64.b64encode(encode_png(value)).decode()
        for name, value in (("image", edited), ("mask", mask))
    }
    return Answer(body=json.dumps(answer).encode())


def write(request, _):
    """The model: a draft about one picture, fine words about two."""
    content = request.json()["messages"][1]["content"]
    num_images = sum(part["type"] == "image_url" for part in content)
    return Answer(body=completion(json.dumps({1: DRAFT, 2: FINE}[num_images])))


def test_an_editing_server_and_a_model_make_a_pair(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(photos.coffee()).resize((144, 96)).save(folder / "coffee.png")
    known = {
        "image": "coffee.png",
        "auxiliary": {"category": "drinkware", "counts": {"mug": 1}},
        "facts": {"object_en": "mug", "object_zh": "马克杯", "color_en": "white"},
    }
    (folder / "photos.jsonl").write_text(json.dumps(known) + "\n")
    out = tmp_path / "shop"
    with serving(repaint) as (editing_url, _), serving(write) as (model_url, model):
        expert = {
            "name": "painter",
            "server": {"base_url": editing_url, "num_retries": 0},
            "protocol": "json",
            "model": "painter-1",
            "tasks": ["recolor"],
        }
        vlm = {
            "server": {"base_url": model_url, "num_retries": 0},
            "model": "writer",
            "prices": {
                "input_per_million": 1.0,
                "output_per_million": 10.0,
                "currency": "USD",
            },
            "cache": str(tmp_path / "replies"),
        }
        flags = [
            f"--out={out}",
            "--workers=1",
            f"--set=vlm={json.dumps(vlm)}",
            f"--set=construct.expert.http={json.dumps(expert)}",
            "--set=construct.expert.is_classical=false",
            "--set=construct.methods=expert",
            "--set=construct.pairs_per_photo=1",
        ]
        build.main(["--stage=collect", f"--source={folder / 'photos.jsonl'}", *flags])
        build.main(["--stage=construct", *flags])
        num_asked = len(model.requests)
        build.main(["--stage=construct", *flags])
        assert len(model.requests) == num_asked == 2
        assert '"mug": 1' in model.requests[0].body.decode().replace("\\", "")
    record = RecordSource(out / "constructed" / "expert", "train")[0]
    before, after = (
        decode_image(data) for data in (record.source_images[0], record.target_image)
    )
    assert (after[20:60, 30:90] == (20, 30, 90)).all()
    outside = np.ones(before.shape[:2], bool)
    outside[20:60, 30:90] = False
    assert (before[outside] == after[outside]).all()
    assert record.instructions_en[0] == FINE["en"][0]
    assert record.instructions_zh[0] == FINE["zh"][0]
    notes = record.provenance
    assert (notes["expert"], notes["instructions_by"]) == ("painter", "vlm")
    assert notes["vlm"]["cost"] > 0
    build.main(["--stage=filter", f"--out={out}", "--workers=1"])
    table = read_index(out / "filtered" / "expert")
    assert table["status"].to_pylist() == ["kept"]
    assert table["score.filter/identical_share"].to_pylist() == [1.0]
