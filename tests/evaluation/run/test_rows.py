"""`rows.jsonl`: every answer once, with its own judgements and no mock's."""

import json
import math

from tbstar_jax.evaluation.run.rows import joined_rows, rows_text
from tests.evaluation.judge.judged import judgement
from tests.evaluation.run.test_results import record


def test_a_row_is_an_answer_with_what_judges_said_of_it():
    rows = [
        record(
            "move", 0, "en", 0.5, metrics={"psnr_keep": math.inf, "shift": math.nan}
        ),
        record("move", 0, "en", 0.25, sample=1),
        record("move", 0, "zh", 0.0, status="missing"),
    ]
    said = [
        judgement(7.0, prompt=rows[0].prompt, system="ours", judge="one"),
        judgement(6.0, prompt=rows[0].prompt, system="ours", judge="two"),
        judgement(9.0, prompt=rows[0].prompt, system="ours", judge="x", is_mock=True),
        judgement(9.0, prompt=rows[0].prompt, system="theirs", judge="one"),
    ]
    lines = rows_text(joined_rows(rows, said)).splitlines()
    first, second, third = map(json.loads, lines)
    assert (first["id"], first["sample"], first["system"], first["status"]) == (
        "mini/move/000/en",
        0,
        "ours",
        "ok",
    )
    assert first["metrics"] == {
        "edit": 0.5,
        "preservation": 1.0,
        "consistency": 0.5,
        "psnr_keep": "inf",
        "shift": None,
    }
    assert [one["judge"] for one in first["judges"]] == ["one", "two"]
    assert first["judges"][0] == {
        "judge": "one",
        "mode": said[0].mode,
        "status": "ok",
        "sc": list(said[0].sc),
        "pq": list(said[0].pq),
        "overall": said[0].overall,
        "raw_sha": [asked.reply_sha256 for asked in said[0].asked],
        "tokens": said[0].input_tokens + said[0].output_tokens,
        "cached": False,
    }
    # Judges saw the first sample.
    assert (second["sample"], second["judges"]) == (1, [])
    assert (third["status"], third["judges"]) == ("missing", [])
