"""Experts that are servers or models: what is sent, and what any answer comes to."""

import base64
import dataclasses
import email
import email.policy
import io
import json
import pickle  # noqa: TID251, what workers are sent by
import zlib
from functools import partial

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.data_engine.construct.http_expert import HttpExpert
from tbstar_jax.data_engine.construct.model_expert import ModelExpert
from tbstar_jax.data_engine.construct.one_scale import scaled_to
from tbstar_jax.data_engine.construct.protocol import (
    CannotEdit,
    EditRequest,
    Expert,
    Region,
)
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, encode_png
from tbstar_jax.vlm.server import ServerConfig
from tests.data_engine.construct.photos import HEIGHT, WIDTH, coffee
from tests.support.loopback import Answer, serving

SECRET = "sk-0123456789-secret"
EDITED = 255 - coffee()


def base64_png(image):
    return base64.b64encode(encode_png(image)).decode()


def request(mask=None):
    return EditRequest(
        task="recolor",
        instruction_en="make the mug red",
        instruction_zh="把杯子改成红色",
        regions=(Region(label="mug", top=1, left=2, bottom=3, right=4),),
        parameters={"new_color": "red"},
        mask=mask,
    )


def expert(url, protocol="json", **options):
    server = ServerConfig(
        base_url=url,
        num_retries=1,
        first_wait_s=0.01,
        reply_timeout_s=5.0,
        max_reply_bytes=200_000,
        api_key_env=options.pop("api_key_env", None),
    )
    return HttpExpert(
        name="remote",
        server=server,
        protocol=protocol,
        model="editor-1",
        tasks=("recolor",),
        **options,
    )


def edit(one, mask=None, seed=3, references=()):
    asked = dataclasses.replace(request(mask), references=references)
    with one.open() as function:
        return function(coffee(), asked, np.random.default_rng(seed))


def json_answer(**fields):
    return Answer(body=json.dumps(fields).encode())


def half_mask():
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:32] = 255
    return mask


def test_the_json_protocol_sends_all_and_reads_image_and_mask():
    answer = json_answer(image=base64_png(EDITED), mask=base64_png(half_mask()))
    with serving(answer) as (url, server):
        edited = edit(expert(url), mask=half_mask())
    assert np.array_equal(edited.image, EDITED)
    assert np.array_equal(edited.mask, half_mask())
    (sent,) = server.requests
    assert sent.path == "/v1/edit"
    fields = sent.json()
    assert np.array_equal(decode_image(base64.b64decode(fields["image"])), coffee())
    with Image.open(io.BytesIO(base64.b64decode(fields["mask"]))) as mask:
        assert np.array_equal(np.array(mask), half_mask())
    rest = {k: v for k, v in fields.items() if k not in ("image", "mask", "seed")}
    assert rest == {
        "task": "recolor",
        "instruction_en": "make the mug red",
        "instruction_zh": "把杯子改成红色",
        "regions": [{"label": "mug", "top": 1, "left": 2, "bottom": 3, "right": 4}],
        "parameters": {"new_color": "red"},
    }
    assert fields["seed"] == int(np.random.default_rng(3).integers(2**31))


def form_of(sent):
    """Names and parts of a form, in order."""
    head = f"Content-Type: {sent.headers['content-type']}\r\n\r\n".encode()
    form = email.message_from_bytes(head + sent.body, policy=email.policy.default)
    return [
        (part.get_param("name", header="content-disposition"), part)
        for part in form.iter_parts()
    ]


def test_the_form_of_image_edits_is_sent_and_its_answer_read(monkeypatch):
    monkeypatch.setenv("TEST_KEY", SECRET)
    answer = json_answer(created=1, data=[{"b64_json": base64_png(EDITED)}])
    with serving(answer) as (url, server):
        one = expert(url, "openai_edits", language="zh", api_key_env="TEST_KEY")
        edited = edit(one, mask=half_mask())
    assert np.array_equal(edited.image, EDITED)
    assert edited.mask is None
    (sent,) = server.requests
    assert sent.path == "/v1/images/edits"
    assert sent.headers["authorization"] == f"Bearer {SECRET}"
    parts = dict(form_of(sent))
    texts = {
        name: part.get_payload(decode=True).decode()
        for name, part in parts.items()
        if part.get_filename() is None
    }
    assert texts == {
        "model": "editor-1",
        "prompt": "把杯子改成红色",
        "n": "1",
        "response_format": "b64_json",
        "seed": str(np.random.default_rng(3).integers(2**31)),
    }
    assert parts["image"].get_filename() == "image.png"
    image = parts["image"].get_payload(decode=True)
    assert np.array_equal(decode_image(image), coffee())
    with Image.open(io.BytesIO(parts["mask"].get_payload(decode=True))) as mask:
        assert np.array_equal(np.array(mask)[..., 3], 255 - half_mask())


# Of other sizes than the photo, and of each other's.
REFERENCES = (coffee()[8:40, 20:60], 255 - coffee()[:16, :16])


def test_the_json_protocol_sends_further_pictures_only_where_there_are_some():
    with serving(json_answer(image=base64_png(EDITED))) as (url, server):
        edit(expert(url), references=REFERENCES)
        edit(expert(url))
    fields, without = (sent.json() for sent in server.requests)
    found = [decode_image(base64.b64decode(one)) for one in fields.pop("references")]
    assert len(found) == 2
    assert all(map(np.array_equal, found, REFERENCES))
    assert fields == without


def test_the_form_holds_the_photo_first_and_then_each_further_picture():
    answer = json_answer(data=[{"b64_json": base64_png(EDITED)}])
    with serving(answer) as (url, server):
        one = expert(url, "openai_edits")
        edit(one, mask=half_mask(), references=REFERENCES[:1])
        edit(one, references=REFERENCES)
        edit(one)
    forms = [form_of(sent) for sent in server.requests]
    files = [
        [name for name, part in form if part.get_filename() is not None]
        for form in forms
    ]
    assert files == [["image[]"] * 2 + ["mask"], ["image[]"] * 3, ["image"]]
    for form, pictures in zip(
        forms,
        ([coffee(), REFERENCES[0]], [coffee(), *REFERENCES], [coffee()]),
        strict=True,
    ):
        parts = [part for name, part in form if name in ("image", "image[]")]
        assert {part.get_content_type() for part in parts} == {"image/png"}
        assert {part.get_filename() for part in parts} == {"image.png"}
        sent = [decode_image(part.get_payload(decode=True)) for part in parts]
        assert all(map(np.array_equal, sent, pictures))


@pytest.mark.parametrize("protocol", ["json", "openai_edits"])
def test_an_answer_to_other_pictures_is_paid_anew(protocol, tmp_path):
    fields = {"image": base64_png(EDITED), "data": [{"b64_json": base64_png(EDITED)}]}
    with serving(json_answer(**fields)) as (url, server):
        one = expert(url, protocol, cache=tmp_path)
        for references in ((), REFERENCES[:1], REFERENCES[1:], REFERENCES) * 2:
            edit(one, references=references)
    assert len(server.requests) == 4


def bomb():
    """A PNG of 60,000 x 60,000 pixels in a few bytes."""
    head = encode_png(np.zeros((1, 1, 3), np.uint8))
    size = (60_000).to_bytes(4, "big")
    chunk = b"IHDR" + size + size + head[24:29]
    return base64.b64encode(
        head[:12] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + head[33:]
    ).decode()


@pytest.mark.parametrize(
    ("protocol", "answer", "reason"),
    [
        ("json", json_answer(cannot_edit="no mug here"), "remote: no mug here"),
        ("json", json_answer(cannot_edit=["x"] * 5000), "remote: "),
        ("json", json_answer(image=base64_png(EDITED[:32])), r"\(32, 96\)"),
        ("json", json_answer(image="%%%"), "base64"),
        ("json", json_answer(image=7), "base64"),
        ("json", json_answer(image=base64.b64encode(b"MZ").decode()), "not a readable"),
        ("json", json_answer(image=bomb()), "million pixels"),
        (
            "json",
            json_answer(image=base64_png(EDITED), mask=base64_png(half_mask()[:9])),
            r"mask of remote is \(9, 96\)",
        ),
        ("json", Answer(body=b"[1]"), "no object"),
        ("json", Answer(body=b'{"image": '), "no JSON"),
        ("json", Answer(body=b"{" * 150_000), "no JSON"),
        ("json", Answer(body=b" " * 200_001), "more than 200000 bytes"),
        ("json", Answer(status=400, body=b"bad\nprompt"), "HTTP 400: bad prompt"),
        ("openai_edits", json_answer(data=[]), "base64"),
        ("openai_edits", json_answer(data=[{"url": "http://host/x.png"}]), "base64"),
    ],
)
def test_an_answer_that_is_no_edit_is_declined_with_the_reason(
    protocol, answer, reason
):
    with (
        serving(answer) as (url, server),
        pytest.raises(CannotEdit, match=reason) as caught,
    ):
        edit(expert(url, protocol))
    assert len(server.requests) == 1
    assert len(caught.value.reason) < 400


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500])
def test_a_server_that_fails_stops_the_run(status):
    answer = Answer(status=status, headers={"Location": "http://127.0.0.1:9/"})
    with serving(answer) as (url, server), pytest.raises(UserError, match="run again"):
        edit(expert(url))
    assert len(server.requests) == (2 if status in (429, 500) else 1)


def test_an_answer_is_paid_once(tmp_path):
    answer = json_answer(image=base64_png(EDITED))
    with serving(answer) as (url, server):
        one = expert(url, cache=tmp_path)
        first, second = edit(one), edit(one)
        edit(one, seed=4)
    assert np.array_equal(first.image, second.image)
    assert len(server.requests) == 2


def test_another_size_is_scaled_by_one_factor_only_when_allowed():
    double = np.array(Image.fromarray(EDITED).resize((2 * WIDTH, 2 * HEIGHT)))
    wide = np.array(Image.fromarray(EDITED).resize((2 * WIDTH, 2 * HEIGHT + 6)))
    for image, shape in ((double, EDITED.shape), (wide, None)):
        with serving(json_answer(image=base64_png(image))) as (url, _):
            with pytest.raises(CannotEdit, match="made"):
                edit(expert(url))
            resizing = expert(url, on_other_size="resize")
            if shape is None:
                with pytest.raises(CannotEdit, match="another shape"):
                    edit(resizing)
            else:
                assert edit(resizing).image.shape == shape


@pytest.mark.parametrize(
    ("answer", "photo", "fits"),
    [
        ((1024, 1536), (64, 96), True),
        ((1024, 1024), (64, 64), True),
        ((1024, 1536), (683, 1024), True),  # 682.67 rounds to 683
        ((1024, 1536), (681, 1024), False),
        ((1024, 1024), (64, 96), False),
        ((10, 15), (1000, 1504), False),
    ],
)
def test_one_factor_to_whole_pixels(answer, photo, fits):
    image = np.zeros((*answer, 3), np.uint8)
    if fits:
        assert scaled_to(image, *photo).shape == (*photo, 3)
    else:
        with pytest.raises(CannotEdit):
            scaled_to(image, *photo)


def invert(strength, image, instruction, seed):
    assert instruction == "把杯子改成红色"
    assert seed == int(np.random.default_rng(3).integers(2**31))
    return np.uint8(strength) - image


def load(strength):
    return partial(invert, strength)


def crop(image, instruction, seed):
    return image[:-1]


def decline(image, instruction, seed):
    raise UserError("the canvas is too long")


def model_expert(load_model):
    return ModelExpert(
        name="ours",
        identity="sha256 of the weights",
        tasks=("recolor",),
        language="zh",
        load=load_model,
    )


def test_an_injected_model_is_an_expert_and_travels_to_other_processes():
    one = model_expert(partial(load, 255))
    assert isinstance(one, Expert)
    again = pickle.loads(pickle.dumps(one))
    assert again.fingerprint == one.fingerprint
    assert np.array_equal(edit(again).image, EDITED)
    assert edit(again).mask is None


@pytest.mark.parametrize(
    ("function", "reason"), [(crop, r"\(63, 96\)"), (decline, "too long")]
)
def test_a_model_that_crops_or_refuses_declines(function, reason):
    with pytest.raises(CannotEdit, match=reason):
        edit(model_expert(lambda: function))
