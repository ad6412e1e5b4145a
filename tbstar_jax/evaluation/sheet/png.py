"""The contact sheet as one picture, drawn with Pillow's own font.

That font has no Chinese: a request made in Chinese is shown in English, and says so.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tbstar_jax.array_types import UInt8
from tbstar_jax.evaluation.sheet.contents import (
    ContactSheet,
    ScoreTable,
    SheetColumn,
    ShownEdit,
)
from tbstar_jax.evaluation.sheet.tables import HEADINGS, cells

_MARGIN = 20
_GAP = 8
_TEXT_WIDTH = 160
_EDIT_HEIGHT = 112
_MIN_WIDTH = 1120
_INK, _GREY, _RULE, _BAND = "#1d1d1f", "#5c5c61", "#d9d9de", "#f2f2f5"


def sheet_png(sheet: ContactSheet) -> UInt8[np.ndarray, "h w 3"]:
    """Draws the sheet: edits, held-out pairs, tables.

    Returns:
      RGB, 0..255. Pictures of held-out pairs are not scaled.
    """
    # Two passes of the same code: the first only measures.
    width, height = _draw(sheet, ImageDraw.Draw(Image.new("RGB", (1, 1))), None)
    canvas = Image.new("RGB", (width, height), "white")
    _draw(sheet, ImageDraw.Draw(canvas), canvas)
    return np.asarray(canvas)


def _draw(
    sheet: ContactSheet, draw: ImageDraw.ImageDraw, canvas: Image.Image | None
) -> tuple[int, int]:
    """Draws onto the canvas, if there is one; returns the width and height needed."""
    pen = _Pen(draw, canvas)
    top = pen.text((_MARGIN, _MARGIN), sheet.title, 22) + _GAP
    for note in sheet.notes:
        top = pen.text((_MARGIN, top), note, 13, _GREY) + 2
    columns = (sheet.source, *sheet.columns)
    widths = [_widest(column) for column in columns]
    right = _MARGIN + sum(widths) + _TEXT_WIDTH
    right = max(right + _GAP * (len(columns) + 1) + _MARGIN, _MIN_WIDTH)
    top = pen.heading(top, "Edits: source, edit, edit mask")
    top = _draw_edits(pen, sheet.edits, top, right)
    top = pen.heading(top, "Held-out pairs")
    top = _draw_pairs(pen, sheet, widths, top, right)
    for table in sheet.tables:
        top = pen.heading(top, f"Scores on held-out pairs: {table.title}")
        top = _draw_table(pen, table, top)
    return max(right, pen.right + _MARGIN), top + _MARGIN


class _Pen:
    """Writes and pastes, and remembers how far to the right it went."""

    def __init__(self, draw: ImageDraw.ImageDraw, canvas: Image.Image | None) -> None:
        self._draw = draw
        self._canvas = canvas
        self.right = 0

    def text(
        self, place: tuple[int, int], text: str, size: int, color: str = _INK
    ) -> int:
        """Writes one line; returns where the next begins."""
        font = ImageFont.load_default(size)
        self._draw.text(place, text, fill=color, font=font)
        self.right = max(self.right, place[0] + self.width(text, size))
        return place[1] + round(size * 1.35)

    def paragraph(
        self, place: tuple[int, int], text: str, size: int, limit: int, color: str
    ) -> int:
        """Writes lines at most `limit` pixels wide; returns where the next begins."""
        left, top = place
        for line in self.wrap(text, size, limit):
            top = self.text((left, top), line, size, color)
        return top

    def wrap(self, text: str, size: int, limit: int) -> list[str]:
        """Breaks a text between words into lines at most `limit` pixels wide."""
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.width(longer, size) <= limit:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def heading(self, top: int, text: str) -> int:
        """Writes a section's heading; returns where the section begins."""
        return self.text((_MARGIN, top + 3 * _GAP), text, 17) + _GAP

    def width(self, text: str, size: int) -> int:
        """Width of a line in pixels."""
        font = ImageFont.load_default(size)
        return round(self._draw.textlength(text, font=font))

    def band(self, top: int, bottom: int, right: int) -> None:
        """Shades a line of column names."""
        self._draw.rectangle((_MARGIN - _GAP, top, right, bottom), fill=_BAND)

    def rule(self, top: int, right: int) -> None:
        """Draws a thin line over a row."""
        self._draw.line((_MARGIN - _GAP, top, right, top), fill=_RULE)

    def picture(self, place: tuple[int, int], picture: Image.Image) -> None:
        """Pastes a picture with a thin frame, for white ones on white."""
        if self._canvas is not None:
            self._canvas.paste(picture, place)
        left, top = place
        box = (left - 1, top - 1, left + picture.width, top + picture.height)
        self._draw.rectangle(box, outline=_RULE)


def _draw_edits(pen: _Pen, edits: tuple[ShownEdit, ...], top: int, right: int) -> int:
    """Draws the single edits side by side, as many in a line as fit."""
    left, bottom = _MARGIN, top
    for edit in edits:
        pictures = [_open(p, _EDIT_HEIGHT) for p in (edit.source, edit.edit, edit.mask)]
        width = sum(picture.width + _GAP for picture in pictures)
        if left > _MARGIN and left + width > right - _MARGIN:
            left, top = _MARGIN, bottom + 2 * _GAP
        place = left
        for picture in pictures:
            pen.picture((place, top), picture)
            place += picture.width + _GAP
        below = top + _EDIT_HEIGHT + 4
        is_english = edit.instruction == edit.english
        request = edit.english if is_english else f"in Chinese: {edit.english}"
        for text, size, color in (
            (request, 13, _INK),
            (f"{edit.title}; {edit.model}", 11, _GREY),
            (edit.result, 11, _GREY),
        ):
            below = pen.paragraph((left, below), text, size, width - _GAP, color)
        left, bottom = left + width + 2 * _GAP, max(bottom, below)
    return bottom


def _draw_pairs(
    pen: _Pen, sheet: ContactSheet, widths: list[int], top: int, right: int
) -> int:
    columns = (sheet.source, *sheet.columns)
    lefts = [_MARGIN]
    lefts.append(lefts[0] + widths[0] + 2 * _GAP + _TEXT_WIDTH)
    for width in widths[1:-1]:
        lefts.append(lefts[-1] + width + _GAP)
    text_left = _MARGIN + widths[0] + _GAP
    # The shade is drawn under the names, so their lines are counted first.
    heights = [
        18 * len(pen.wrap(column.title, 13, width))
        + 15 * len(pen.wrap(column.note, 11, width))
        for column, width in zip(columns, widths, strict=True)
    ]
    pen.band(top - 5, top + max(heights) + 3, right - _MARGIN + _GAP)
    pen.text((text_left, top), "instruction", 13)
    for column, left, width in zip(columns, lefts, widths, strict=True):
        below = pen.paragraph((left, top), column.title, 13, width, _INK)
        pen.paragraph((left, below), column.note, 11, width, _GREY)
    top += max(heights) + 2 * _GAP
    for index, row in enumerate(sheet.rows):
        pictures = [_open(column.pictures[index], None) for column in columns]
        for left, picture in zip(lefts, pictures, strict=True):
            pen.picture((left, top), picture)
        below = pen.paragraph((text_left, top), row.instruction, 14, _TEXT_WIDTH, _INK)
        pen.text((text_left, below + 4), row.task, 11, _GREY)
        top += max(picture.height for picture in pictures) + _GAP
    return top


def _draw_table(pen: _Pen, table: ScoreTable, top: int) -> int:
    rows = [HEADINGS, *cells(table)]
    widths = [
        max(pen.width(text, 13) for text in column)
        for column in zip(*rows, strict=True)
    ]
    right = _MARGIN + sum(width + 3 * _GAP for width in widths)
    pen.band(top - 4, top + 20, right)
    for index, row in enumerate(rows):
        if index > 1:
            pen.rule(top - 4, right)
        left = _MARGIN
        for text, width in zip(row, widths, strict=True):
            pen.text((left, top), text, 13, _INK if index else _GREY)
            left += width + 3 * _GAP
        top += 26
    return top


def _widest(column: SheetColumn) -> int:
    widths = []
    for path in column.pictures:
        with Image.open(path) as picture:
            widths.append(picture.width)
    return max(widths)


def _open(path: Path, height: int | None) -> Image.Image:
    """Reads a picture, scaled to a height if one is given."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    if height is None:
        return picture
    width = round(picture.width * height / picture.height)
    return picture.resize((width, height), Image.Resampling.LANCZOS)
