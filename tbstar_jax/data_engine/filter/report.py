"""One page about a filtered set: what each rule caught, and what it just let pass.

No scripts, no network: pictures are data URIs, capped in size and number, histograms
are inline SVG, and every text of a record is escaped. The page is written beside its
place and renamed, so that it is whole or not there.
"""

import base64
import collections
import io
import os
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from PIL import Image

from tbstar_jax.data_engine.annotate import KEPT
from tbstar_jax.data_engine.filter.decide import broken_rules, compared, decide
from tbstar_jax.data_engine.filter.histogram import histogram_svg
from tbstar_jax.data_engine.filter.rules import RULE_NAMES, RULES, Condition, Profile
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.records import EditRecord

THUMBNAIL = 160
"""Longer side of a picture on the page, in pixels."""

MAX_PICTURE_BYTES = 20_000_000
"""All pictures of a page together; later examples are left out."""

_MAX_TEXT = 160
_AMPLIFIED = 4
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;padding:16px;max-width:1200px;
color:#1d1d1f;background:#fff}
h1{font-size:22px}h2{font-size:18px;margin:32px 0 4px;border-top:1px solid #ddd;
padding-top:16px}h3{font-size:15px;margin:12px 0 4px}
p,figcaption{color:#555;margin:4px 0}
table{border-collapse:collapse}th,td{padding:3px 12px 3px 0;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}
.row{display:flex;flex-wrap:wrap;gap:12px}
figure{margin:0;padding:8px;border:1px solid #ddd;border-radius:8px}
figure div{display:flex;gap:4px}figcaption{max-width:490px;font-size:13px;
overflow-wrap:anywhere}svg{background:#fafafa;border-radius:6px}
@media(max-width:560px){figure{width:100%;box-sizing:border-box}
figure img{width:32%;height:auto}svg{width:100%}}
"""


def write_report(
    path: str | os.PathLike[str],
    record_at: Callable[[int], EditRecord],
    keys: Sequence[str],
    scores: Mapping[str, Float[np.ndarray, " n"]],
    tasks: Shaped[np.ndarray, " n"],
    profile: Profile,
    num_examples: int = 4,
    statuses: Shaped[np.ndarray, " n"] | None = None,
) -> None:
    """Writes the page.

    Args:
      path: of the HTML file; an old one is replaced.
      record_at: gives a record by its row; only examples are read.
      keys: of all rows.
      scores: as `decide` takes them.
      tasks: likewise.
      profile: what is shown is what it decides.
      num_examples: caught and just kept ones of every rule.
      statuses: of the pairs, where methods have said more than the rules do.
    """
    path = Path(path)
    page = report_html(
        record_at,
        keys,
        scores,
        tasks,
        profile,
        num_examples,
        statuses,
        title=f"Pair filter: {path.stem}",
    )
    partial = path.with_name(path.name + ".partial")
    partial.write_text(page, encoding="utf-8")
    os.replace(partial, path)


def report_html(
    record_at: Callable[[int], EditRecord],
    keys: Sequence[str],
    scores: Mapping[str, Float[np.ndarray, " n"]],
    tasks: Shaped[np.ndarray, " n"],
    profile: Profile,
    num_examples: int = 4,
    statuses: Shaped[np.ndarray, " n"] | None = None,
    *,
    title: str = "Pair filter",
) -> str:
    """Returns the page; arguments as those of `write_report`, and its title."""
    by_rules = decide(scores, tasks, profile)
    statuses = by_rules if statuses is None else statuses
    broken = broken_rules(scores, tasks, profile)
    album = _Album(record_at, keys)
    parts = [_counts(statuses, by_rules, broken)]
    for name in RULE_NAMES:
        if not broken[name].any():
            continue
        caught = np.array([text.partition(":")[2] == name for text in statuses])
        conditions = _conditions_of(name, scores)
        plots = "".join(
            histogram_svg(
                compared(scores, one), profile.limit_of(one.limit, ""), _heading(one)
            )
            for one in conditions
        )
        kind = "flags" if name in profile.flags else "rejects"
        parts.append(
            f"<h2>{escape(name)}</h2><p>{kind}; broken by {broken[name].sum():,} of "
            f"{len(keys):,} pairs, names the status of {caught.sum():,}. The line is "
            f'the limit where no task has its own.</p><div class="row">{plots}</div>'
        )
        for heading, rows in (
            ("Caught", _picked(np.flatnonzero(caught), num_examples)),
            (
                "Just kept",
                _nearest(conditions, scores, statuses == KEPT, profile, num_examples),
            ),
        ):
            figures = "".join(
                album.figure(int(row), scores, conditions) for row in rows
            )
            if figures:
                parts.append(f'<h3>{heading}</h3><div class="row">{figures}</div>')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}, {len(keys):,} pairs</h1>{''.join(parts)}"
        "</body></html>\n"
    )


def _counts(
    statuses: Shaped[np.ndarray, " n"],
    by_rules: Shaped[np.ndarray, " n"],
    broken: Mapping[str, Bool[np.ndarray, " n"]],
) -> str:
    rows = "".join(
        f'<tr><td>{escape(status)}</td><td class="n">{count:,}</td>'
        f'<td class="n">{100 * count / len(statuses):.2f} %</td></tr>'
        for status, count in collections.Counter(statuses).most_common()
    )
    any_rule = int(np.any(list(broken.values()), axis=0).sum())
    num_own = int((statuses != by_rules).sum())
    own = f" {num_own:,} have a status that their method gave." if num_own else ""
    return (
        f"<table><tr><th>status</th><th>pairs</th><th>share</th></tr>{rows}</table>"
        f"<p>{any_rule:,} pairs break at least one rule; the first that rejects names "
        f"the status, else the first that flags.{own}</p><p>Every example is source, "
        f"target and their difference times {_AMPLIFIED}.</p>"
    )


def _conditions_of(
    name: str, scores: Mapping[str, Float[np.ndarray, " n"]]
) -> list[Condition]:
    found = {
        condition.score: condition
        for rule in RULES
        if rule.name == name
        for condition in rule.conditions
    }
    return [one for score, one in found.items() if score in scores]


def _heading(condition: Condition) -> str:
    return {"value": "{}", "abs": "|{}|", "abs_log": "|log {}|"}[
        condition.measure
    ].format(condition.score)


def _picked(rows: Int[np.ndarray, " r"], count: int) -> Int[np.ndarray, " c"]:
    """Spreads a choice evenly over rows, the same at every call."""
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]


def _nearest(
    conditions: Sequence[Condition],
    scores: Mapping[str, Float[np.ndarray, " n"]],
    is_kept: Bool[np.ndarray, " n"],
    profile: Profile,
    count: int,
) -> Int[np.ndarray, " c"]:
    """Returns the kept rows whose first score is nearest to its limit."""
    if not conditions:
        return np.zeros(0, int)
    limit = profile.limit_of(conditions[0].limit, "")
    if limit is None:
        return np.zeros(0, int)
    away = np.abs(compared(scores, conditions[0]) - limit)
    away[~is_kept | np.isnan(away)] = np.inf
    order = np.argsort(away, kind="stable")[:count]
    return order[np.isfinite(away[order])]


class _Album:
    """Figures of records, until the pictures' bytes are used up."""

    def __init__(self, record_at: Callable[[int], EditRecord], keys: Sequence[str]):
        """Starts empty."""
        self._record_at = record_at
        self._keys = keys
        self._num_bytes = 0

    def figure(
        self,
        row: int,
        scores: Mapping[str, Float[np.ndarray, " n"]],
        conditions: Sequence[Condition],
    ) -> str:
        """Returns source, target and difference of a row; nothing when full."""
        if self._num_bytes >= MAX_PICTURE_BYTES:
            return ""
        record = self._record_at(row)
        try:
            pictures = "".join(map(self._picture, _views(record)))
        except UserError as error:
            pictures = f"<p>{escape(str(error)[:_MAX_TEXT])}</p>"
        texts = (*record.instructions_en, *record.instructions_zh)
        said = ", ".join(
            f"{one.score} {float(scores[one.score][row]):.4g}" for one in conditions
        )
        caption = f"{self._keys[row]} ({record.task}): {texts[0] if texts else ''}"
        return (
            f"<figure><div>{pictures}</div><figcaption>"
            f"{escape(caption[:_MAX_TEXT])}<br>{escape(said)}</figcaption></figure>"
        )

    def _picture(self, image: UInt8[np.ndarray, "h w 3"]) -> str:
        picture = Image.fromarray(image)
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85)
        self._num_bytes += buffer.tell()
        data = base64.b64encode(buffer.getvalue()).decode()
        return (
            f'<img width="{picture.width}" height="{picture.height}" alt="" '
            f'src="data:image/jpeg;base64,{data}">'
        )


def _views(record: EditRecord) -> list[UInt8[np.ndarray, "h w 3"]]:
    """Returns source, target and, where sizes agree, the difference made stronger."""
    name = f"record {record.key!r}"
    views = [
        decode_image(data, name)
        for data in (*record.source_images[:1], record.target_image)
    ]
    if len(views) == 2 and views[0].shape == views[1].shape:
        difference = np.abs(views[0].astype(np.int16) - views[1])
        views.append(np.minimum(difference * _AMPLIFIED, 255).astype(np.uint8))
    return views
