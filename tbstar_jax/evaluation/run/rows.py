"""`rows.jsonl`: an answer per line, its scores and what judges said of it together.

    {"id", "sample", "system", "status", "metrics": {...},
     "judges": [{"judge", "mode", "status", "sc": [], "pq": [], "overall",
                 "raw_sha": [], "tokens", "cached"}]}

Joined from `records.jsonl` and `judgements.jsonl` for readers outside; nothing here
reads it.
"""

import json
from collections.abc import Iterable
from typing import Any

from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.scores.record import ScoreRecord


def joined_rows(
    records: Iterable[ScoreRecord], judgements: Iterable[Judgement]
) -> list[dict[str, Any]]:
    """Joins answers and judgements.

    Args:
      records: of any systems; a row for each.
      judgements: of first samples; mocks are left out.

    Returns:
      JSON values. `metrics` holds E, P and C as `edit`, `preservation`, `consistency`.
      `raw_sha` are the SHA-256 of replies by vote and question, `tokens` of prompts and
      replies together, `cached` whether no reply was paid for.
    """
    said: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in judgements:
        if not one.is_mock:
            said.setdefault((one.system, one.prompt), []).append(_judge(one))
    return [
        {
            "id": row.prompt,
            "sample": row.sample,
            "system": row.system,
            "status": row.status,
            "metrics": {
                "edit": row.edit,
                "preservation": row.preservation,
                "consistency": row.consistency,
                **row.to_json()["metrics"],
            },
            "judges": [] if row.sample else said.get((row.system, row.prompt), []),
        }
        for row in records
    ]


def rows_text(rows: Iterable[dict[str, Any]]) -> str:
    """A line of JSON per row."""
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)


def _judge(one: Judgement) -> dict[str, Any]:
    num_replies = sum(len(asked.keys) for asked in one.asked)
    return {
        "judge": one.judge,
        "mode": one.mode,
        "status": one.status,
        "sc": list(one.sc),
        "pq": list(one.pq),
        "overall": one.overall,
        "raw_sha": [asked.reply_sha256 for asked in one.asked],
        "tokens": one.input_tokens + one.output_tokens,
        "cached": 0 < num_replies == sum(asked.num_cached for asked in one.asked),
    }
