"""Scenes drawn together, or in bands, are to the last bit what each is alone."""

import dataclasses

import numpy as np
import pytest

from tbstar_jax.data_engine.render.sampling import generator
from tbstar_jax.data_engine.studio.backends import NumpyBackend
from tbstar_jax.data_engine.studio.edits import EDIT_TASKS, sample_edit
from tbstar_jax.data_engine.studio.renderer import Frame, render, render_all
from tbstar_jax.data_engine.studio.sampling import Needs, sample_scene


def draw(index, size=(30, 34), supersampling=2):
    """A scene of a product and a prop."""
    rng = generator("tests", 0, index, "samples")
    return sample_scene(rng, size, supersampling, Needs(num_props=1))[0]


def variants(one):
    """Scenes that differ from one in a single thing, or in the order of items."""
    replace, (first, second) = dataclasses.replace, one.items
    yield replace(one, items=(second, first))
    yield replace(one, items=(first, second, first))
    for changes in (
        {"x": first.x + 0.1}, {"z": 0.1}, {"turn": first.turn + 9}, {"scale": 0.9},
        {"material": "glass"}, {"proportions": (0.1, 0.2, 0.3, 0.4)},
    ):  # fmt: skip
        yield replace(one, items=(replace(first, **changes), second))
    for changes in (
        {"azimuth": 40.0}, {"elevation": 60.0}, {"softness": 0.3}, {"warmth": 0.8},
        {"shadow": 0.2},
    ):  # fmt: skip
        yield replace(one, light=replace(one.light, **changes))
    # Walls where there was floor in the shade.
    for kind in ("shelf", "duo"):
        yield replace(one, backdrop=replace(one.backdrop, kind=kind))
    for name in ("pitch", "distance", "height", "field_of_view"):
        more = getattr(one.camera, name) * 1.1
        yield replace(one, camera=replace(one.camera, **{name: more}))
    yield replace(one, size=(36, 25))
    yield replace(one, supersampling=1)


def test_scenes_share_no_more_than_what_is_equal():
    one = draw(0)
    light = dataclasses.replace(one.light, azimuth=-30.0, elevation=30.0)
    backdrop = dataclasses.replace(one.backdrop, kind="white")
    one = dataclasses.replace(one, light=light, backdrop=backdrop)
    others = list(variants(one))
    alone = [render(other) for other in (one, *others)]
    together = render_all([one, *others], NumpyBackend())
    for first, second in zip(alone, together, strict=True):
        require_equal(first, second)
    *last, first = render_all([*others, one], NumpyBackend())
    for one, other in zip(alone, [first, *last], strict=True):
        require_equal(one, other)


def test_the_picture_does_not_depend_on_how_rows_are_cut_into_bands():
    narrow, whole = NumpyBackend(), NumpyBackend()
    narrow.band, whole.band = 300, None
    some = [draw(1, (48, 48), 1), draw(2, (48, 48), 1), draw(1, (33, 40), 1)]
    # Seen by the camera of the first, band by band with it.
    some.append(dataclasses.replace(some[0], items=some[0].items[:1]))
    drawn = [render_all(some, backend) for backend in (narrow, whole)]
    for one, first, second in zip(some, *drawn, strict=True):
        require_equal(first, second)
        require_equal(first, render(one))


@pytest.mark.parametrize("task", EDIT_TASKS)
def test_scenes_drawn_together_are_what_each_is_alone(task):
    edit = sample_edit(generator("tests", 3, 1, task), task, (40, 48))
    # The third meets less of what the first knows, and the fourth nothing.
    fewer = dataclasses.replace(edit.before, items=edit.before.items[-1:])
    other = dataclasses.replace(fewer, supersampling=1)
    some = [edit.before, edit.after, fewer, other]
    for one, frame in zip(some, render_all(some, NumpyBackend()), strict=True):
        require_equal(frame, render(one))


def test_only_what_differs_is_traced_again():
    one = draw(3)
    product, prop = one.items
    render_all([one], counted := Counted())
    alone = counted.rays
    other = dataclasses.replace(prop, color="green", material="matte")
    other = dataclasses.replace(one, items=(product, other))
    render_all([one, other], counted := Counted())
    assert counted.rays == alone
    fewer = dataclasses.replace(one, items=(product,))
    render_all([one, fewer], counted := Counted())
    assert alone < counted.rays < 1.5 * alone


class Counted(NumpyBackend):
    """Counts rays."""

    def __init__(self):
        self.rays = 0

    def march(self, jobs):
        self.rays += sum(len(arrays[-1]) for _, arrays in jobs)
        return super().march(jobs)

    def shadow(self, jobs):
        self.rays += sum(len(arrays[-1]) for _, arrays in jobs)
        return super().shadow(jobs)


def require_equal(first, second):
    for field in dataclasses.fields(Frame):
        one, other = getattr(first, field.name), getattr(second, field.name)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other), field.name
