"""Judgements without a judge: from deterministic scores, to test what comes after."""

from tbstar_jax.evaluation.judge import viescore
from tbstar_jax.evaluation.judge.judgement import Asked, Judgement, Vote
from tbstar_jax.evaluation.judge.rubrics import Part
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.vlm.cache import request_key

MODEL = "mock (not a judge)"
"""What stands where a judge's model would."""


def mock_judgement(record: ScoreRecord) -> Judgement:
    """A judgement of mode `strict` that no judge made.

    SC is (10 E, 10 P) and PQ (10 P, 10 P): success, restraint, and for lack of anything
    that looks at beauty, preservation. `is_mock` keeps it out of leaderboards.

    Args:
      record: of an answer; one that could not be read is `missing`.
    """
    is_ok = record.status in ("ok", "wrong_size")
    edit, kept = 10 * record.edit, 10 * record.preservation
    semantic, quality = (edit, kept), (kept, kept)
    votes = (
        (Vote(asked=(_asked("sc", semantic), _asked("pq", quality))),) if is_ok else ()
    )
    return Judgement(
        system=record.system,
        prompt=record.prompt,
        case=record.case,
        task=record.task,
        language=record.language,
        mode="strict",
        label="mock, in the form of strict",
        judge=request_key({"model": MODEL}),
        model=MODEL,
        is_mock=True,
        content=request_key({"prompt": record.prompt, "E": edit, "P": kept}),
        status="ok" if is_ok else "missing",
        detail="" if is_ok else f"the answer is {record.status}",
        votes=votes,
        overall=viescore.overall(semantic, quality) if is_ok else None,
        semantic=viescore.reduced(semantic) if is_ok else None,
        quality=viescore.reduced(quality) if is_ok else None,
        overall_range=0.0 if is_ok else None,
        cost=None,
    )


def _asked(part: Part, scores: tuple[float, float]) -> Asked:
    return Asked(
        part=part,
        status="ok",
        detail="",
        scores=scores,
        reason="computed from pixels; no judge was asked",
        statuses=("ok",),
        keys=(),
        reply_sha256="",
        model=MODEL,
        input_tokens=0,
        output_tokens=0,
        num_cached=0,
    )
