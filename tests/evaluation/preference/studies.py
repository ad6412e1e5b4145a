"""A small study on disk, and votes as its page would save them."""

import json

import numpy as np
from PIL import Image, PngImagePlugin

from tbstar_jax.evaluation.preference.page import PageConfig, build_page
from tbstar_jax.evaluation.preference.study import Answer, Pair

SYSTEMS = ("turtle-v1", "rabbit-v2")
HOSTILE = "</script><script>document.title = 'owned'</script><b>bold</b> & \u2028 \"x\""


def picture(path, seed, size=(48, 40)):
    """A picture whose metadata and name give its maker away."""
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", f"made by {path.stem}")
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path, pnginfo=info)
    return path


def pairs(folder, num_prompts=4, systems=SYSTEMS, objects=()):
    """Every two systems on every prompt; even prompts are English.

    The prompts of `objects` have a second picture.
    """
    folder.mkdir(exist_ok=True)
    made = []
    for number in range(num_prompts):
        source = picture(folder / f"source-{number}.png", 100 + number)
        reference = picture(folder / f"reference-{number}.png", 200 + number)
        second = None
        if number in objects:
            second = picture(folder / f"object-{number}.png", 300 + number, (44, 30))
        images = {
            name: picture(folder / f"{name}-{number}.png", 10 * number + place)
            for place, name in enumerate(systems)
        }
        for one, first in enumerate(systems):
            for other in systems[one + 1 :]:
                # Which of the two comes first must not matter.
                names = (first, other) if number % 2 else (other, first)
                made.append(
                    Pair(
                        prompt=f"mini/recolor/{number:03}/en",
                        case=f"mini/recolor/{number:03}",
                        task="recolor" if number < 2 else "layout",
                        language="zh" if number % 2 else "en",
                        instruction=HOSTILE if number == 0 else f"第 {number} 条",
                        source=source,
                        first=Answer(system=names[0], image=images[names[0]]),
                        second=Answer(system=names[1], image=images[names[1]]),
                        reference=reference,
                        object_photo=second,
                    )
                )
    return made


def build(tmp_path, num_prompts=4, systems=SYSTEMS, seed=3, objects=(), **config):
    """Builds a page; returns its folder and key."""
    made = pairs(tmp_path / "made", num_prompts, systems, objects)
    folder = tmp_path / "page"
    key_path = tmp_path / "key.json"
    return folder, build_page(made, folder, key_path, seed, PageConfig(**config))


def vote(item, choice, *, is_first_left=True, at=1000):
    """A vote on an item of the key, as the page writes it."""
    ids = (item.first.id, item.second.id)
    left, right = ids if is_first_left else ids[::-1]
    return {
        "item": item.id,
        "left": left,
        "right": right,
        "choice": choice,
        "place": 0,
        "milliseconds": 2000,
        "at": at,
    }


def vote_file(path, key, recorded, rater="anna", **changed):
    """Writes a file of votes."""
    content = {
        "format": "tbstar-preference-votes",
        "version": 1,
        "study": key.study,
        "rater": rater,
        "interface": "en",
        "votes": recorded,
    }
    path.write_text(json.dumps({**content, **changed}), encoding="utf-8")
    return path
