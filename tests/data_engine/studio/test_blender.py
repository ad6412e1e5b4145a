import ast
import dataclasses
import functools
import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tbstar_jax.data_engine.render.sampling import generator
from tbstar_jax.data_engine.studio.blender import frames
from tbstar_jax.data_engine.studio.blender.meshes import mesh_of
from tbstar_jax.data_engine.studio.blender.process import (
    SCRIPT,
    BlenderProcess,
    BlenderSettings,
)
from tbstar_jax.data_engine.studio.blender.request import request_of
from tbstar_jax.data_engine.studio.edits import sample_edit
from tbstar_jax.data_engine.studio.families import FAMILIES
from tbstar_jax.data_engine.studio.fields import Body, distance
from tbstar_jax.data_engine.studio.packing import pack, shape_of
from tbstar_jax.data_engine.studio.pairs import pair_of
from tbstar_jax.data_engine.studio.renderer import render
from tbstar_jax.data_engine.studio.stage import StudioStage
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, decode_mask

MIDDLE = (0.5, 0.5, 0.5, 0.7)

CHANNEL = """
import json, os, struct, sys, time
from pathlib import Path

def send(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(data)) + data)
    sys.stdout.buffer.flush()

def receive():
    head = sys.stdin.buffer.read(4)
    if not head:
        sys.exit(0)
    return json.loads(sys.stdin.buffer.read(struct.unpack(">I", head)[0]))

def leave(request, picture):
    import numpy as np
    np.save(Path(request["folder"]) / "result.npy", picture)

def load(request, name):
    import numpy as np
    return np.load(Path(request["folder"]) / f"{name}.npy")

send({"protocol": 1, "renderer": "stand-in 1"})
"""

# Draws every item as a block of its colour, with light that reaches the rows below.
BLOCKS = """
import numpy as np
while True:
    request = receive()
    rows, columns = request["size"]
    items = request["items"]
    made = np.full((rows, columns, 4 + 4 * len(items)), 0.5, np.float32)
    made[:, :, 4:] = 0.0
    for k in range(len(items)):
        color = load(request, f"item{k}_colors").mean(axis=0)
        middle = load(request, f"item{k}_points").mean(axis=0)[0]
        at = int((middle + 2.0) / 4.0 * (columns - 8))
        made[8:24, at : at + 8, :3] = color
        made[8:24, :, 4 : 4 + len(items)] *= 0.0
        made[8:24, at : at + 8, 4 + k] = 1.0
        made[24:30, :, :3] *= 0.5 + 0.5 * color
    leave(request, made)
    send({"is_done": True})
"""


@pytest.fixture
def started(tmp_path):
    """Runs a stand-in for the renderer: a real process on real pipes."""
    running = []

    def start(script, greets=True, **settings):
        path = tmp_path / f"stand_in_{len(running)}.py"
        path.write_text((CHANNEL if greets else "") + textwrap.dedent(script))
        process = BlenderProcess(
            BlenderSettings(**{"timeout_seconds": 20.0, **settings}), path
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.close()


def an_edit(task, stream="blender", size=(32, 40)):
    return sample_edit(generator("tests", 3, 1, stream), task, size)


REQUEST = {"size": [4, 6], "items": [{}]}


@pytest.mark.parametrize("family", [one.id for one in FAMILIES])
def test_meshes_lie_on_the_surface_and_are_closed(family):
    mesh = mesh_of(family, MIDDLE, False)
    edges = np.sort(
        np.concatenate([mesh.faces[:, [k, (k + 1) % 4]] for k in range(4)]), axis=1
    )
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert np.all(counts % 2 == 0)
    assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1.0)
    corners = mesh.points[mesh.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = np.einsum("nk,nk->n", across, mesh.normals[mesh.faces[:, 0]])
    assert np.mean(outward > 0) > 0.99
    assert mesh.points[:, 1].min() == pytest.approx(0.0, abs=0.004)
    shape = shape_of(family, MIDDLE)
    if all(not one.slot for one in (*shape.solids, *shape.rings)):
        rings = np.array(shape.rings).reshape(-1, 9)
        body = Body(np.array(shape.solids), rings, np.zeros(5), np.zeros(6))
        far = np.abs(distance(np, body, *mesh.points.T)[0])
        assert np.quantile(far, 0.99) < 1e-3


def test_glass_is_hollow():
    solid, hollow = mesh_of("ball", MIDDLE, False), mesh_of("ball", MIDDLE, True)
    inner = hollow.is_inner > 0
    middle = hollow.points[~inner].mean(axis=0)
    radius = np.linalg.norm(hollow.points - middle, axis=1)
    assert np.array_equal(hollow.points[~inner], solid.points)
    assert radius[~inner].mean() - radius[inner].mean() == pytest.approx(
        0.026, abs=1e-4
    )
    toward = np.einsum("nk,nk->n", hollow.points - middle, hollow.normals)
    assert np.all(toward[inner] < 0)
    assert np.all(toward[~inner] > 0)


def test_a_request_says_where_things_are_and_what_is_printed():
    scene = an_edit("text_remove").before
    request, arrays = request_of(scene)
    assert request["size"] == [32, 40]
    assert len(request["items"]) == len(scene.items)
    points = arrays["item0_points"]
    assert points[:, 2].min() == pytest.approx(0.0, abs=0.02)
    at = arrays["item0_print_at"]
    is_printed = np.all((at > 0) & (at < 1), axis=1)
    assert 0 < is_printed.mean() < 0.3
    # The front looks at the camera, which stands at negative y.
    assert np.all(arrays["item0_normals"][is_printed, 1] < 0)
    assert request["items"][0]["is_printed"]
    ink = pack(scene).paints[0].print
    assert np.array_equal(arrays["item0_print"], ink[::-1].astype(np.float32))


def test_a_recolour_changes_colours_alone():
    edit = an_edit("recolor")
    (_, before), (_, after) = request_of(edit.before), request_of(edit.after)
    changed = [key for key in before if not np.array_equal(before[key], after[key])]
    assert changed == ["item0_colors"]


def test_a_picture_comes_back_whole(started):
    process = started(
        """
        import numpy as np
        for value in (1.0, 2.0):
            request = receive()
            shape = (*request["size"], 4 + 4 * len(request["items"]))
            leave(request, load(request, "light") + np.full(shape, value, "f"))
            print("noise on standard error", file=sys.stderr)
            send({"is_done": True})
        """
    )
    assert process.renderer == "stand-in 1"
    light = {"light": np.full((), 0.5, np.float32)}
    for value in (1.5, 2.5):
        assert np.array_equal(
            process.render(REQUEST, light), np.full((4, 6, 8), value, np.float32)
        )


PICTURE = (
    "import numpy as np; request = receive(); leave(request, {}); "
    "send({{'is_done': True}})"
)

FAILURES = {
    "crash": (
        "receive(); print('out of memory', file=sys.stderr); os._exit(7)",
        r"ended \(exit code 7\); its last words: out of memory",
    ),
    "abort": ("receive(); os.abort()", r"ended \(exit code -6\)"),
    "half an answer": (
        "receive(); os.write(1, bytes([0, 0, 0, 9, 65])); os._exit(0)",
        r"ended \(exit code 0\)",
    ),
    "an error": (
        "receive(); send({'error': 'MemoryError: too large'})",
        "reported 'MemoryError: too large'",
    ),
    "prints": (
        "receive(); print('Fra:1 Mem:32M', flush=True)",
        "an answer of 1181901114 bytes, above 1048576",
    ),
    "no JSON": ("receive(); send(b'{oops')", "b'{oops', which is no JSON object"),
    "a list": ("receive(); send([1])", "no JSON object"),
    "another answer": ("receive(); send({'done': 1})", "answered .* to a scene"),
    "no picture": ("receive(); send({'is_done': True})", "a picture of 0 bytes"),
    "too large": (
        PICTURE.format("np.zeros((512, 512, 4), 'f')"),
        "a picture of 4194432 bytes, but one of .4, 6, 8. numbers has 768",
    ),
    "turned": (PICTURE.format("np.zeros((6, 4, 8), 'f')"), "not .4, 6, 8. finite"),
    "whole numbers": (PICTURE.format("np.zeros((4, 6, 8), 'i4')"), "finite float32"),
    "not a number": (PICTURE.format("np.full((4, 6, 8), np.nan, 'f')"), "finite"),
    "objects": (
        PICTURE.format("np.array([{'a': 'x' * 500}] * 60, object)"),
        "a picture (that cannot be read|of)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
def test_whatever_happens_to_the_process_is_one_sentence(started, case):
    script, message = FAILURES[case]
    process = started(script)
    with pytest.raises(UserError, match=message) as error:
        process.render(REQUEST, {})
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="ended"):
        process.render(REQUEST, {})


def test_a_silent_process_is_not_waited_for_forever(started):
    process = started("receive(); time.sleep(60)", timeout_seconds=3.0)
    with pytest.raises(UserError, match="did not answer within 3 seconds"):
        process.render(REQUEST, {})
    assert process._process.wait(5) < 0


def test_a_process_that_does_not_greet_is_refused(started):
    with pytest.raises(
        UserError, match=r"cannot import bpy .no bpy.; install .*blender.python"
    ):
        started(
            """
            import json, struct, sys
            data = json.dumps({"missing": "bpy", "reason": "no bpy"}).encode()
            sys.stdout.buffer.write(struct.pack(">I", len(data)) + data)
            """,
            greets=False,
        )
    with pytest.raises(UserError, match=r"ended .exit code 1.*SyntaxError"):
        started("(", greets=False)
    newer = CHANNEL.replace('"protocol": 1', '"protocol": 2')
    with pytest.raises(UserError, match="protocol 1 is spoken"):
        started(newer, greets=False)
    with pytest.raises(UserError, match="no_python cannot be started"):
        started("", python=Path("/no_python"))


def test_settings_are_checked():
    with pytest.raises(UserError, match="samples is 0"):
        BlenderSettings(samples=0)
    with pytest.raises(UserError, match="timeout_seconds is inf"):
        BlenderSettings(timeout_seconds=float("inf"))


def test_no_file_and_no_process_stay(started):
    process = started(BLOCKS)
    folder = Path(process._folder.name)
    frames.render(an_edit("recolor").before, process)
    assert [one.name for one in folder.iterdir()] == ["stderr"]
    process.close()
    process.close()
    assert not folder.exists()
    assert process._process.poll() is not None


def test_strict_pairs_keep_all_outside_what_is_declared(started):
    process = started(BLOCKS)
    edit = an_edit("recolor")
    (strict,) = frames.render_pairs([edit], is_strict=True, process=process)
    (physical,) = frames.render_pairs([edit], is_strict=False, process=process)
    differs = np.any(strict.source != strict.target, axis=2)
    assert np.array_equal(strict.change_mask == 255, differs)
    assert np.array_equal(differs, strict.before.coverage[0] > 0)
    assert np.array_equal(strict.source, physical.source)
    # The light that the stand-in lets fall below the block.
    assert physical.change_mask[24:30].all()
    assert not strict.change_mask[24:30].any()
    nowhere = np.zeros((32, 40), bool)
    pair = pair_of(edit, strict.before, strict.after, is_strict=True, within=nowhere)
    assert np.array_equal(pair.target, pair.source)


def test_a_strict_removal_takes_the_shadow_along(started):
    process = started(BLOCKS)
    edit = an_edit("object_remove")
    (pair,) = frames.render_pairs([edit], is_strict=True, process=process)
    (k,) = edit.touched_before
    assert pair.before.influence[k].any()
    assert not np.any(pair.before.influence[k] & (pair.before.coverage[k] > 0))
    assert pair.change_mask[24:30].all()


def test_what_cannot_be_seen_is_not_reached():
    before = np.full((16, 16, 3), 100, np.uint8)
    after = before + np.uint8(1)
    after[4, 4] = 108
    assert not frames.reached(before, after).any()
    after[8:12, 8:12] += 4
    assert frames.reached(before, after)[8:12, 8:12].all()
    assert not frames.reached(before, after)[:6].any()


def test_records_say_what_drew_them(started):
    stage = StudioStage(
        num_records=2,
        sizes=((32, 40),),
        backend="blender",
        tasks=("recolor", "identity"),
    )
    draw = functools.partial(
        frames.render_pairs, is_strict=True, process=started(BLOCKS)
    )
    made = stage.records(range(2), draw)
    assert made[0].provenance["backend"] == "blender"
    assert made == stage.records(range(2), draw)
    source, target = map(decode_image, (*made[0].source_images, made[0].target_image))
    mask = decode_mask(made[0].change_mask) == 255
    assert np.array_equal(mask, np.any(source != target, axis=2))
    assert mask.any()
    assert made[1].target_image == made[1].source_images[0]


def test_where_blender_lies_does_not_name_another_stage():
    stage = StudioStage(num_records=1, backend="blender")
    moved = BlenderSettings(python=Path("/elsewhere"), num_threads=4)
    finer = BlenderSettings(samples=64)
    there, better = (dataclasses.replace(stage, blender=s) for s in (moved, finer))
    assert stage.fingerprint == there.fingerprint != better.fingerprint
    numpy_ = dataclasses.replace(stage, backend="numpy")
    assert numpy_.fingerprint == dataclasses.replace(numpy_, blender=finer).fingerprint


@pytest.mark.skipif(find_spec("bpy") is not None, reason="this interpreter has bpy")
def test_an_interpreter_without_blender_is_named():
    with pytest.raises(UserError, match=r"cannot import bpy .No module named 'bpy'.;"):
        BlenderProcess(BlenderSettings())


def test_the_script_knows_nothing_of_this_package():
    found = [
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(SCRIPT.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    others = {name.split(".")[0] for name in found} - sys.stdlib_module_names
    assert others == {"numpy", "bpy"}


@pytest.fixture(scope="module")
def blender():
    """The real one, where the interpreter has it; others are named by hand."""
    python = os.environ.get("BLENDER_PYTHON", sys.executable)
    command = [python, "-I", "-c", "import importlib.util as u, sys;"
               "sys.exit(u.find_spec('bpy') is None)"]  # fmt: skip
    if subprocess.run(command, check=False).returncode:
        pytest.skip("the interpreter has no bpy")
    with BlenderProcess(BlenderSettings(python=Path(python), samples=8)) as process:
        yield process


@pytest.mark.parametrize("task", ["recolor", "object_remove", "text_replace_zh"])
def test_blender_shows_what_the_reference_shows(blender, task):
    edit = an_edit(task, size=(64, 64))
    (pair,) = frames.render_pairs([edit], is_strict=True, process=blender)
    reference = render(edit.before)
    ours, theirs = pair.before.coverage > 0.5, reference.coverage > 0.5
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.92
    bare = (reference.coverage.sum(axis=0) == 0) & ~reference.influence.any(axis=0)
    gap = np.abs(pair.source.astype(int) - reference.image)[bare]
    assert gap.mean() < 4
    is_item = (reference.ids > 0) & (pair.before.ids == reference.ids)
    gap = np.abs(pair.before.depth - reference.depth)[is_item]
    assert np.median(gap) < 0.02
    differs = np.any(pair.source != pair.target, axis=2)
    assert np.array_equal(pair.change_mask == 255, differs)
    assert differs.any()
    assert not differs[~pair.region].any()
    assert not differs[~frames.reached(pair.source, pair.after.image)].any()
    if task == "text_replace_zh":
        found, known = pair.before, reference
        rooms = [one.room[0] > 0.5 for one in (found, known)]
        assert (rooms[0] & rooms[1]).sum() / (rooms[0] | rooms[1]).sum() > 0.6
        assert 0.6 < found.text[0].sum() / known.text[0].sum() < 1.6
        assert found.text[0].sum() < found.ink[0].sum()
    again = frames.render(edit.before, blender)
    assert np.array_equal(again.image, pair.source)
