"""A histogram as inline SVG, with the line at which a rule decides."""

from html import escape

import numpy as np
from jaxtyping import Float

_WIDTH, _HEIGHT, _FOOT, _HEAD = 320, 150, 18, 20
_NUM_BINS = 40


def histogram_svg(
    values: Float[np.ndarray, " n"], limit: float | None, title: str
) -> str:
    """Draws how a score is distributed; counts are shown by their logarithm.

    Args:
      values: NaN and infinities are counted in the title, not drawn.
      limit: where the line is; none without.
      title: what the values are.
    """
    finite = values[np.isfinite(values)]
    num_absent = len(values) - len(finite)
    absent = f" ({num_absent:,} absent)" if num_absent else ""
    heading = f'<text x="6" y="14" font-size="12">{escape(title + absent)}</text>'
    body = ""
    if len(finite):
        low, high = _range(finite, limit)
        counts, _ = np.histogram(np.clip(finite, low, high), _NUM_BINS, (low, high))
        body = _bars(counts.astype(float)) + _axis(low, high)
        if limit is not None:
            x = (limit - low) / (high - low) * _WIDTH
            beside = min(x + 3, _WIDTH - 60)
            body += (
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_HEAD}" y2="{_HEIGHT - _FOOT}" '
                f'stroke="#c00" stroke-width="1.5"/><text x="{beside:.1f}" '
                f'y="{_HEAD + 10}" font-size="11" fill="#c00">{limit:.4g}</text>'
            )
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img">{heading}{body}</svg>'


def _range(values: Float[np.ndarray, " n"], limit: float | None) -> tuple[float, float]:
    """Shows 98 % of the values and the limit; what lies beyond is at the ends."""
    low, high = (float(x) for x in np.percentile(values, (1, 99)))
    if limit is not None:
        low, high = min(low, limit), max(high, limit)
    spare = 0.05 * (high - low) or 0.5
    return low - spare, high + spare


def _bars(counts: Float[np.ndarray, " k"]) -> str:
    width = _WIDTH / len(counts)
    tall = np.log1p(counts) / np.log1p(counts.max()) * (_HEIGHT - _FOOT - _HEAD)
    return "".join(
        f'<rect x="{k * width:.1f}" y="{_HEIGHT - _FOOT - size:.1f}" '
        f'width="{width - 0.8:.1f}" height="{size:.1f}" fill="#69c">'
        f"<title>{int(count):,}</title></rect>"
        for k, (size, count) in enumerate(zip(tall, counts, strict=True))
        if count
    )


def _axis(low: float, high: float) -> str:
    y = _HEIGHT - 5
    return (
        f'<text x="4" y="{y}" font-size="11" fill="#555">{low:.3g}</text>'
        f'<text x="{_WIDTH - 4}" y="{y}" font-size="11" fill="#555" '
        f'text-anchor="end">{high:.3g}</text>'
    )
