"""Score tables as text: every mean beside the number of images it is over.

A PSNR is infinite for identical pixels. Such images are counted as exact and are not in
the mean. Shares are rounded down, so that 100.00 % means every pixel.
"""

import math

from tbstar_jax.evaluation.consistency import ScoreMean
from tbstar_jax.evaluation.sheet.contents import ScoreRow, ScoreTable

HEADINGS = (
    "model",
    "trained for",
    "PSNR outside, dB",
    "PSNR inside, dB",
    "CIEDE2000 outside",
    "bit-identical outside",
    "keep-gate IoU",
)
"""Names of the columns; outside and inside refer to the true edit mask."""

_UNDEFINED = "-"


def cells(table: ScoreTable) -> list[tuple[str, ...]]:
    """Returns one text per heading for every row."""
    return [_row_cells(row) for row in table.rows]


def markdown(table: ScoreTable) -> str:
    """Formats a table for a README, under its title."""
    lines = [f"**{table.title}**", "", _pipes(HEADINGS)]
    lines.append(_pipes(("---",) * 2 + ("--:",) * (len(HEADINGS) - 2)))
    lines += [_pipes(row) for row in cells(table)]
    return "\n".join(lines) + "\n"


def plain_text(table: ScoreTable) -> str:
    """Formats a table for a terminal, under its title."""
    rows = [HEADINGS, *cells(table)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [table.title]
    for row in rows:
        padded = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _pipes(texts: tuple[str, ...]) -> str:
    return f"| {' | '.join(texts)} |"


def _row_cells(row: ScoreRow) -> tuple[str, ...]:
    summary = row.summary
    return (
        row.name,
        row.note,
        _decibels(summary.psnr_outside),
        _decibels(summary.psnr_inside),
        _number(summary.ciede2000_outside),
        _share(summary.share_identical_outside),
        _number(summary.gate_iou),
    )


def _decibels(score: ScoreMean) -> str:
    if not score.num_exact:
        return _number(score)
    if not score.num_images:
        return f"all exact (n={score.num_exact})"
    return f"{score.mean:.2f} (n={score.num_images}, {score.num_exact} exact)"


def _number(score: ScoreMean) -> str:
    if not score.num_images:
        return _UNDEFINED
    return f"{score.mean:.2f} (n={score.num_images})"


def _share(score: ScoreMean) -> str:
    if not score.num_images:
        return _UNDEFINED
    return f"{percent(score.mean)} (n={score.num_images})"


def percent(share: float) -> str:
    """Writes a share in [0, 1] as percent, rounded down to 0.01 %."""
    return f"{math.floor(share * 10_000) / 100:.2f} %"
