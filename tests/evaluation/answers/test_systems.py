"""Folders of another system, a server that edits, and our own weights."""

import base64
import dataclasses
import json

import numpy as np
import pytest

from tbstar_jax.convert.folder import BASE_PARTS, load_weights, save_weights
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.answer import CannotAnswer
from tbstar_jax.evaluation.answers.checkpoint import Checkpoint
from tbstar_jax.evaluation.answers.endpoint import Endpoint
from tbstar_jax.evaluation.answers.folder import find_outputs
from tbstar_jax.geometry import Box
from tbstar_jax.inference.pipeline import SHIPPED_WEIGHTS, EditPipeline
from tbstar_jax.input_pipeline.images import decode_image, decode_mask, encode_png
from tbstar_jax.vlm.server import ServerConfig
from tests.support.benchmark_cases import case, prompts
from tests.support.loopback import Answer, serving

ASKED = prompts(case(index=0), case(index=1))
IDS = [prompt.id for prompt in ASKED]
EXTENDED = case("outpaint", size=64, photo_box=Box(top=0, left=16, height=64, width=48))


def touch(folder, name):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_files_are_found_by_their_prompts(tmp_path):
    first = touch(tmp_path, f"{ASKED[0].id}.png")
    touch(tmp_path, f"{ASKED[0].id}.jpg")
    second = touch(tmp_path, f"{ASKED[1].id}.WEBP")
    touch(tmp_path, "other.png")
    touch(tmp_path, "notes.txt")
    found = find_outputs(tmp_path, IDS)
    assert found.paths == {ASKED[0].id: first, ASKED[1].id: second}
    assert found.missing == (ASKED[2].id, ASKED[3].id)
    assert set(found.unknown) == {"other.png", f"{ASKED[0].id}.jpg"}


def test_a_folder_that_holds_nothing_is_said_so(tmp_path):
    touch(tmp_path, "recolor_000_en.png")
    with pytest.raises(UserError, match=r"such as recolor_000_en\.png; name"):
        find_outputs(tmp_path, IDS)
    with pytest.raises(UserError, match="no folder"):
        find_outputs(tmp_path / "absent", IDS)


def json_answer(**fields):
    return Answer(body=json.dumps(fields).encode())


def endpoint(url):
    return Endpoint(
        name="server",
        server=ServerConfig(base_url=url, num_retries=0),
        protocol="json",
        model="m",
        seed=5,
    )


def test_a_server_is_given_photo_and_instruction(tmp_path):
    inverted = 255 - ASKED[0].case.photo

    def edit(request, number):
        return json_answer(image=base64.b64encode(encode_png(inverted)).decode())

    with serving(edit) as (url, server), endpoint(url).open() as answer:
        assert np.array_equal(answer(ASKED[1], 2), inverted)
        (request,) = server.requests
    sent = request.json()
    assert sent["instruction_zh"] == ASKED[1].instruction
    assert sent["seed"] == 7  # the endpoint's, and two for the third sample
    assert sent["mask"] is None
    assert sent["regions"] == []
    assert "references" not in sent
    photo = decode_image(base64.b64decode(sent["image"]))
    assert np.array_equal(photo, ASKED[1].case.photo)


@pytest.mark.parametrize("language", [0, 1])
def test_a_second_picture_goes_with_the_photo(language):
    second = np.random.default_rng(9).integers(0, 256, (48, 40, 3)).astype(np.uint8)
    prompt = prompts(case("object_add", object_photo=second))[language]

    def edit(request, number):
        return json_answer(image=request.json()["image"])

    with serving(edit) as (url, server), endpoint(url).open() as answer:
        edited = answer(prompt, 0)
    (reference,) = server.requests[0].json()["references"]
    assert np.array_equal(decode_image(base64.b64decode(reference)), second)
    assert np.array_equal(edited, prompt.case.photo)  # the photo is still the photo


def test_a_growing_canvas_is_sent_grey_with_its_mask():
    def edit(request, number):
        return json_answer(image=request.json()["image"])

    prompt, _ = prompts(EXTENDED)
    with serving(edit) as (url, server), endpoint(url).open() as answer:
        canvas = answer(prompt, 0)
        mask = decode_mask(base64.b64decode(server.requests[0].json()["mask"]))
    assert canvas.shape == (64, 64, 3)
    assert np.array_equal(canvas[:, 16:], EXTENDED.source[:, 16:])
    assert (canvas[:, :16] == canvas[0, 0]).all()
    assert (mask[:, :16] == 255).all()
    assert not mask[:, 16:].any()


def test_refusals_are_final_and_failures_are_not():
    def refuse(request, number):
        return json_answer(cannot_edit="not my style")

    def fail(request, number):
        return Answer(status=503)

    def garble(request, number):
        return Answer(body=b"<html>bad gateway</html>")

    def torn(request, number):
        return json_answer(image="AAAA")

    outcomes = ((refuse, True), (fail, False), (garble, False), (torn, False))
    for handler, is_final in outcomes:
        with serving(handler) as (url, _), endpoint(url).open() as answer:
            with pytest.raises(CannotAnswer) as caught:
                answer(ASKED[0], 0)
        assert caught.value.is_final == is_final


def test_our_weights_answer_as_the_pipeline_does():
    prompt = ASKED[0]
    with Checkpoint(name="tiny", directory=SHIPPED_WEIGHTS, num_steps=1).open() as ours:
        answers = [ours(prompt, sample) for sample in (0, 1)]
    pipeline = EditPipeline(load_weights(SHIPPED_WEIGHTS))
    for seed, answer in enumerate(answers):
        expected = pipeline(
            prompt.case.photo, prompt.instruction, num_steps=1, seed=seed
        ).image
        assert np.array_equal(answer, expected)
    assert not np.array_equal(*answers)


def test_our_weights_are_given_the_second_picture():
    shown = 255 - ASKED[0].case.photo
    prompt, _ = prompts(case("object_add", object_photo=shown))
    system = Checkpoint(name="tiny", directory=SHIPPED_WEIGHTS, num_steps=1)
    assert system.settings()["second_pictures"] == "given"
    with system.open() as ours:
        answer = ours(prompt, 0)
    pipeline = EditPipeline(load_weights(SHIPPED_WEIGHTS))
    edits = [
        pipeline(
            prompt.case.photo,
            prompt.instruction,
            references=references,
            num_steps=1,
            preserve="off",
        ).image
        for references in ((shown,), ())
    ]
    assert not np.array_equal(*edits)
    unkept = dataclasses.replace(system, preserve="off")
    with unkept.open() as ours:
        assert np.array_equal(ours(prompt, 0), edits[0])
    assert answer.shape == prompt.case.source.shape


def test_a_model_of_one_photo_is_asked_without_the_second_and_says_so(tmp_path):
    weights = load_weights(SHIPPED_WEIGHTS)
    shifting = dataclasses.replace(
        weights.config.pattern_shifting, num_source_embeddings=1
    )
    parts = dict(weights.parts)
    table = parts["pattern_shifting"]["source_embedding"]
    parts["pattern_shifting"] = {
        **parts["pattern_shifting"],
        "source_embedding": table[:1],
    }
    config = dataclasses.replace(weights.config, pattern_shifting=shifting)
    save_weights(tmp_path, config, parts)
    system = Checkpoint(name="one", directory=tmp_path, num_steps=1)
    told = system.settings()["second_pictures"]
    assert told == "not given, the model takes one photo"
    with_second, _ = prompts(case("object_add", object_photo=ASKED[0].case.photo))
    without, _ = prompts(case("object_add"))
    with system.open() as ours:
        assert np.array_equal(ours(with_second, 0), ours(without, 0))


def test_the_base_runs_without_modules_and_guidance():
    system = Checkpoint(
        name="base", directory=SHIPPED_WEIGHTS, modules="base", num_steps=1
    )
    with system.open() as answer:
        edited = answer(ASKED[0], 0)
    assert (edited != ASKED[0].case.photo).mean() > 0.5  # nothing keeps the photo
    assert system.describe()["modules"] == "base"


def test_settings_are_what_the_pipeline_runs_with():
    system = Checkpoint(name="tiny", directory=SHIPPED_WEIGHTS)
    told = system.settings()
    config = load_weights(SHIPPED_WEIGHTS).config
    assert (told["num_steps"], told["guidance"], told["seed"]) == (
        config.num_steps,
        config.guidance_scale,
        0,
    )
    assert (told["modules"], told["preserve"]) == ("stage2", "pixel")
    assert told["sampler"].startswith("Euler")
    assert str(config.pixel_budget) in told["resize"]
    explicit = dataclasses.replace(
        system,
        **{name: told[name] for name in ("num_steps", "guidance", "modules")},
        preserve=told["preserve"],
    )
    assert explicit.settings() == told
    with system.open() as ours, explicit.open() as same:
        assert np.array_equal(ours(ASKED[0], 0), same(ASKED[0], 0))
    assert "num_steps" not in system.describe()  # which tells systems apart


def test_settings_that_were_given_are_told_and_a_base_has_no_guidance():
    given = Checkpoint(
        name="tiny",
        directory=SHIPPED_WEIGHTS,
        modules="base",
        seed=3,
        num_steps=2,
        guidance=4.0,
    ).settings()
    assert (given["num_steps"], given["seed"], given["guidance"]) == (2, 3, 1.0)
    assert given["preserve"].startswith("off; pixel where the canvas grows")
    estimated = Checkpoint(
        name="tiny", directory=SHIPPED_WEIGHTS, preserve="estimated"
    ).settings()
    assert estimated["preserve"] == "estimated"


def test_the_photo_on_a_growing_canvas_is_kept():
    prompt, _ = prompts(EXTENDED)
    with Checkpoint(name="tiny", directory=SHIPPED_WEIGHTS, num_steps=1).open() as ours:
        edited = ours(prompt, 0)
    assert edited.shape == EXTENDED.source.shape
    assert np.array_equal(edited[:, 16:], EXTENDED.source[:, 16:])


def test_an_answer_of_another_size_is_taken_as_it_is():
    small = np.zeros((32, 48, 3), np.uint8)

    def edit(request, number):
        return json_answer(image=base64.b64encode(encode_png(small)).decode())

    with serving(edit) as (url, _), endpoint(url).open() as answer:
        assert answer(ASKED[0], 0).shape == small.shape


def test_modules_that_a_folder_lacks_are_named(tmp_path):
    weights = load_weights(SHIPPED_WEIGHTS)
    base = {name: weights.parts[name] for name in BASE_PARTS}
    save_weights(tmp_path, weights.config, base)
    system = Checkpoint(name="tiny", directory=tmp_path, modules="stage2")
    message = "no pattern_shifting and consistency, which --modules=stage2 needs"
    with pytest.raises(UserError, match=message), system.open():
        pass


def test_a_checkpoint_is_told_by_its_contents(tmp_path):
    def described():
        return Checkpoint(name="c", directory=tmp_path).describe()["weights_sha256"]

    with pytest.raises(UserError, match="there are no weights in"):
        described()
    weights = tmp_path / "transformer" / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"1")
    before = described()
    assert described() == before
    weights.write_bytes(b"2")
    assert described() != before
