"""The picture of a README: answers of several systems, and their scores with intervals.

Its examples are medians: of each task shown, the English prompt whose C is the median
of the main system's. So nothing is picked by its looks.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from tbstar_jax.evaluation.report.content import PromptPictures, ReportContent
from tbstar_jax.evaluation.report.drawing import (
    LIGHT,
    Drawing,
    Rect,
    Shape,
    Text,
    cut,
)
from tbstar_jax.evaluation.report.error_map import LEGEND, error_map
from tbstar_jax.evaluation.report.figure_scores import all_scores
from tbstar_jax.evaluation.report.figures import tasks_of
from tbstar_jax.evaluation.report.gallery import examples
from tbstar_jax.evaluation.report.raster import raster, text_width
from tbstar_jax.evaluation.scores.record import ScoreRecord

WIDTH = 1200
"""Of the picture, in pixels."""

_MARGIN, _GAP, _ASK = 20, 10, 190
_HEAD, _FOOT = 30, 34


def headline_picture(
    content: ReportContent, tasks: Sequence[str] | None = None, num_rows: int = 4
) -> UInt8[np.ndarray, "h w 3"]:
    """Draws source, reference, every system's answer and the main one's error map.

    Args:
      content: systems that are no anchors become columns, in their order; the bars show
        the anchors as well.
      tasks: one row each; None: `num_rows` of the run's, spread over their order.
      num_rows: without `tasks`.

    Returns:
      sRGB, `WIDTH` wide.

    Raises:
      UserError: pictures that cannot be read.
      ValueError: nothing was scored, or a task that was not asked.
    """
    main = content.main_result
    if main is None:
        raise ValueError("a picture needs at least one system that was scored")
    if tasks is None:
        known = tasks_of(main)
        places = np.linspace(0, len(known) - 1, min(num_rows, len(known)))
        tasks = [known[round(place)] for place in places]
    systems = [one.name for one in content.results.systems if one.kind == "system"]
    if content.main not in systems:
        systems.append(content.main)
    heads = ["source", "reference", *systems, f"errors of {content.main}"]
    side = (WIDTH - 2 * _MARGIN - _ASK) // len(heads) - _GAP
    bars = _fitted(all_scores(content.results, content.main))
    legend = _legend()
    rows = [_row(content, task, systems, side) for task in tasks]
    top = _head(heads, side)
    return np.concatenate([top, *rows, legend, bars], axis=0)


def _row(
    content: ReportContent, task: str, systems: Sequence[str], side: int
) -> UInt8[np.ndarray, "h w 3"]:
    record = _median(content.records_of(content.main), task)
    found = content.pictures(record)
    cells: list[np.ndarray | None] = [found.source, found.reference]
    notes = ["", ""]
    for system in systems:
        answer = _answer(content, system, record.prompt)
        cells.append(None if answer is None else answer[0].answer)
        notes.append(
            "no answer" if answer is None else f"C {answer[1].consistency:.2f}"
        )
    wrong = None
    if found.answer is not None:
        wrong = error_map(found.reference, found.answer, found.edit_mask)
    cells.append(wrong)
    notes.append("")
    row = np.array(raster(_words(task, found.english, notes, side), scale=1))
    for column, image in enumerate(cells):
        if image is None:
            continue
        small = Image.fromarray(image)
        # The map's colours have a meaning, so they are not mixed.
        is_map = column == len(cells) - 1
        kind = Image.Resampling.NEAREST if is_map else Image.Resampling.LANCZOS
        scale = side / max(small.size)
        size = (round(small.width * scale), round(small.height * scale))
        small = small.resize(size, kind)
        left = _left(column, side) + (side - small.width) // 2
        upper = 1 + (side - small.height) // 2
        framed = ImageOps.expand(small, 1, LIGHT["rule"])  # white ones on white
        bottom, right = upper + small.height + 1, left + small.width + 1
        row[upper - 1 : bottom, left - 1 : right] = framed
    return row


def _median(records: Sequence[ScoreRecord], task: str) -> ScoreRecord:
    own = [one for one in records if one.task == task and one.sample == 0]
    # English where it was asked, so that the instruction shown is the one answered.
    ranked = examples([one for one in own if one.language == "en"] or own)
    for rank in ("median", "worst", "only"):
        if rank in ranked:
            return ranked[rank]
    raise ValueError(f"{task} was not asked")


def _answer(
    content: ReportContent, system: str, prompt: str
) -> tuple[PromptPictures, ScoreRecord] | None:
    for record in content.records_of(system):
        if record.prompt == prompt and record.status in ("ok", "wrong_size"):
            return content.pictures(record), record
    return None


def _words(task: str, asked: str, notes: Sequence[str], side: int) -> Drawing:
    shapes: list[Shape] = [
        Text(x=_MARGIN, y=18, text=cut(task, 24), size=15, is_bold=True)
    ]
    y = 40.0
    for line in _wrapped(asked, _ASK - 14)[: (side - 20) // 17]:
        shapes.append(Text(x=_MARGIN, y=y, text=line, size=13, color="muted"))
        y += 17
    for column, note in enumerate(notes):
        middle = _left(column, side) + side / 2
        shapes.append(Text(x=middle, y=side + 17, text=note, size=13, anchor="middle"))
    return Drawing(title="", width=WIDTH, height=side + 28, shapes=tuple(shapes))


def _head(heads: Sequence[str], side: int) -> UInt8[np.ndarray, "h w 3"]:
    shapes = tuple(
        Text(
            x=_left(column, side) + side / 2,
            y=22,
            text=cut(text, max(6, side // 8)),
            size=14,
            anchor="middle",
            is_bold=True,
        )
        for column, text in enumerate(heads)
    )
    size = {"width": WIDTH, "height": _HEAD}
    return raster(Drawing(title="", shapes=shapes, **size), scale=1)


def _legend() -> UInt8[np.ndarray, "h w 3"]:
    shapes: list[Shape] = []
    left = float(_MARGIN + _ASK)
    for color, label in LEGEND:
        # A frame: the lightest of the colours is nearly the ground's.
        shapes.append(Rect(x=left, y=4, width=14, height=14, color="muted"))
        shapes.append(Rect(x=left + 1, y=5, width=12, height=12, color=color))
        shapes.append(Text(x=left + 20, y=16, text=label, size=13))
        left += 44 + text_width(label, 13)
    size = {"width": WIDTH, "height": _FOOT}
    return raster(Drawing(title="", shapes=tuple(shapes), **size), scale=1)


def _fitted(drawing: Drawing) -> UInt8[np.ndarray, "h w 3"]:
    """The bars on the picture's width."""
    width = WIDTH - 2 * _MARGIN
    image = Image.fromarray(raster(drawing))
    height = round(image.height * width / image.width)
    small = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
    sides = ((8, _MARGIN), (_MARGIN, _MARGIN), (0, 0))
    return np.pad(small, sides, constant_values=255)


def _wrapped(text: str, limit: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, 13) <= limit:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _left(column: int, side: int) -> int:
    return _MARGIN + _ASK + column * (side + _GAP)
