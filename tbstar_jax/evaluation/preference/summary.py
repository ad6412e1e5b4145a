"""What the votes of a preference study say.

GSB and win rate are those of `statistics.gsb`, over all votes; a vote for "both bad" is
an S and is also counted by itself.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.files import json_text
from tbstar_jax.evaluation.preference.votes import Vote, Votes
from tbstar_jax.evaluation.statistics.agreement import Agreement, krippendorff_alpha
from tbstar_jax.evaluation.statistics.davidson import Matches, Ranking, rank
from tbstar_jax.evaluation.statistics.gsb import (
    gsb_interval,
    verdict_mean,
    win_rate_of,
)
from tbstar_jax.evaluation.statistics.power import smallest_net
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig, Interval

_SIGN = {"first": 1, "same": 0, "bad": 0, "second": -1}
_RANKING_RESAMPLES = 1_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preference:
    """One system against another, over some of their votes.

    Attributes:
      wins: votes for the first.
      ties: votes for neither, `both_bad` among them.
      losses: votes for the second.
      both_bad: votes that neither was any good.
      gsb: (wins - losses) / votes, in [-1, 1].
      win_rate: (wins + ties / 2) / votes, in [0, 1].
      both_bad_share: of votes.
    """

    wins: int
    ties: int
    losses: int
    both_bad: int
    gsb: Interval
    win_rate: Interval
    both_bad_share: Interval


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairSummary:
    """All votes on two systems.

    Attributes:
      first: a system.
      second: another.
      overall: all votes.
      tasks: by task.
      languages: by language of the instruction.
      smallest_net: the GSB that a study of as many prompts, votes and ties finds in
        four of five cases, votes of a prompt taken to correlate by 0.5.
    """

    first: str
    second: str
    overall: Preference
    tasks: Mapping[str, Preference]
    languages: Mapping[str, Preference]
    smallest_net: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class RaterSummary:
    """One rater.

    Attributes:
      rater: the name they gave.
      is_counted: False where the caller left them out.
      num_votes: on pairs.
      left_share: of these that chose a side, how many chose A; NaN without any.
      both_bad_share: of these; NaN without any.
      median_seconds: from display to vote, on pairs; NaN without any.
      checks_passed: checks of attention judged as they should be.
      num_checks: checks judged.
    """

    rater: str
    is_counted: bool
    num_votes: int
    left_share: float
    both_bad_share: float
    median_seconds: float
    checks_passed: int
    num_checks: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreferenceSummary:
    """The result of a study.

    Attributes:
      study: id of the page.
      pairs: every two systems that were compared.
      ranking: of three systems or more; None for two, or where `notes` says why not.
      agreement: ordinal alpha over comparisons, second, neither, first.
      left_share: share of A among votes that chose a side; 0.5 without position bias.
      raters: all of them, also those left out.
      num_votes: on pairs, counted.
      num_left_out: votes on pairs by raters that the caller left out.
      num_repeated: earlier votes on the same item, replaced.
      num_items: comparisons of the page, checks among them.
      num_unseen: of these, never judged.
      notes: what a reader should know, one sentence each.
    """

    study: str
    pairs: tuple[PairSummary, ...]
    ranking: Ranking | None
    agreement: Agreement
    left_share: Interval
    raters: tuple[RaterSummary, ...]
    num_votes: int
    num_left_out: int
    num_repeated: int
    num_items: int
    num_unseen: int
    notes: tuple[str, ...]


def summarise(
    votes: Votes, config: BootstrapConfig, without: Sequence[str] = ()
) -> PreferenceSummary:
    """Counts votes and says how sure the counts are.

    Args:
      votes: of one study.
      config: of the intervals; the ranking has 1,000 resamples at most.
      without: raters whose votes are not counted, for instance because they failed
        checks; the result names them.

    Raises:
      UserError: no vote is left, or `without` names nobody.
    """
    unknown = set(without) - {vote.rater for vote in votes.votes}
    if unknown:
        raise UserError(f"no vote is by {', '.join(sorted(unknown))}: check the name")
    judged = [vote for vote in votes.votes if vote.kind == "pair"]
    counted = [vote for vote in judged if vote.rater not in without]
    if not counted:
        raise UserError("no vote on a pair of systems is left: collect votes first")
    by_pair = defaultdict(list)
    for vote in counted:
        by_pair[vote.first, vote.second].append(vote)
    pairs = tuple(_pair(*names, by_pair[names], config) for names in sorted(by_pair))
    ranking, why_not = _ranking(counted, config)
    summary = PreferenceSummary(
        study=votes.study,
        pairs=pairs,
        ranking=ranking,
        agreement=_agreement(counted, config),
        left_share=_left_share(counted, config),
        raters=tuple(
            _rater(rater, votes.votes, rater not in without)
            for rater in sorted({vote.rater for vote in votes.votes})
        ),
        num_votes=len(counted),
        num_left_out=len(judged) - len(counted),
        num_repeated=votes.num_repeated,
        num_items=votes.num_items,
        num_unseen=votes.num_unseen,
        notes=(),
    )
    return dataclasses.replace(summary, notes=(*_notes(summary), *why_not))


def summary_json(summary: PreferenceSummary) -> str:
    """The result as JSON; a number that does not exist is null."""
    return json_text(dataclasses.asdict(summary))


def _pair(
    first: str, second: str, votes: Sequence[Vote], config: BootstrapConfig
) -> PairSummary:
    overall = _preference(votes, config)
    num_prompts = len({vote.prompt for vote in votes})
    return PairSummary(
        first=first,
        second=second,
        overall=overall,
        tasks={
            task: _preference([vote for vote in votes if vote.task == task], config)
            for task in sorted({vote.task for vote in votes})
        },
        languages={
            name: _preference([vote for vote in votes if vote.language == name], config)
            for name in sorted({vote.language for vote in votes})
        },
        smallest_net=smallest_net(
            num_prompts,
            # Ties alone leave nothing to find; the least that could be is a vote.
            min(overall.ties, len(votes) - 1) / len(votes),
            max(1, round(len(votes) / num_prompts)),
        ),
    )


def _preference(votes: Sequence[Vote], config: BootstrapConfig) -> Preference:
    outcomes = [vote.outcome for vote in votes]
    gsb = gsb_interval(votes, [_SIGN[one] for one in outcomes], config)
    both_bad = outcomes.count("bad")
    bad_shares = [float(one == "bad") for one in outcomes]
    return Preference(
        wins=outcomes.count("first"),
        ties=outcomes.count("same") + both_bad,
        losses=outcomes.count("second"),
        both_bad=both_bad,
        gsb=gsb,
        win_rate=win_rate_of(gsb),
        both_bad_share=verdict_mean(votes, bad_shares, config),
    )


def _left_share(votes: Sequence[Vote], config: BootstrapConfig) -> Interval:
    decided = [vote for vote in votes if _SIGN[vote.outcome]]
    chosen = [float(_chose_left(vote)) for vote in decided]
    return verdict_mean(decided, chosen, config)


def _chose_left(vote: Vote) -> bool:
    return (vote.outcome == "first") == vote.is_first_left


def _ranking(
    votes: Sequence[Vote], config: BootstrapConfig
) -> tuple[Ranking | None, tuple[str, ...]]:
    systems = {vote.first for vote in votes} | {vote.second for vote in votes}
    if len(systems) < 3:
        return None, ()
    num_resamples = min(config.num_resamples, _RANKING_RESAMPLES)
    matches = Matches(
        first=[vote.first for vote in votes],
        second=[vote.second for vote in votes],
        outcomes=[_SIGN[vote.outcome] for vote in votes],
        clusters=[vote.case for vote in votes],
    )
    try:
        config = dataclasses.replace(config, num_resamples=num_resamples)
        return rank(matches, config), ()
    except UserError as error:
        return None, (f"There is no ranking: {error}.",)


def _agreement(votes: Sequence[Vote], config: BootstrapConfig) -> Agreement:
    raters = {rater: row for row, rater in enumerate(sorted({v.rater for v in votes}))}
    items = {item: row for row, item in enumerate(sorted({v.item for v in votes}))}
    ratings = np.full((len(raters), len(items)), np.nan)
    for vote in votes:
        ratings[raters[vote.rater], items[vote.item]] = _SIGN[vote.outcome]
    return krippendorff_alpha(ratings, "ordinal", config)


def _rater(rater: str, votes: Sequence[Vote], is_counted: bool) -> RaterSummary:
    own = [vote for vote in votes if vote.rater == rater]
    pairs = [vote for vote in own if vote.kind == "pair"]
    checks = [vote for vote in own if vote.kind != "pair"]
    sides = [_chose_left(vote) for vote in pairs if _SIGN[vote.outcome]]
    nan = float("nan")
    return RaterSummary(
        rater=rater,
        is_counted=is_counted,
        num_votes=len(pairs),
        left_share=np.mean(sides).item() if sides else nan,
        both_bad_share=(
            np.mean([vote.outcome == "bad" for vote in pairs]).item() if pairs else nan
        ),
        median_seconds=(
            np.median([vote.milliseconds for vote in pairs]).item() / 1000
            if pairs
            else nan
        ),
        checks_passed=sum(_passes(vote) for vote in checks),
        num_checks=len(checks),
    )


def _passes(check: Vote) -> bool:
    """Equal pictures are equal, good or bad; the right edit is better than none."""
    if check.kind == "identical":
        return check.outcome in ("same", "bad")
    return check.outcome == "first"


def _notes(summary: PreferenceSummary) -> tuple[str, ...]:
    notes = []
    for pair in summary.pairs:
        prompts = pair.overall.gsb.num_prompts
        low, high = pair.overall.gsb.low, pair.overall.gsb.high
        verdict = (
            "the interval cannot be had from one case"
            if math.isnan(low)
            else "they differ"
            if low > 0 or high < 0
            else "no difference is shown, which is not a proof of equality"
        )
        net = pair.smallest_net
        power = (
            f"a GSB of {net:.2f} would be found in 4 of 5 such studies"
            if net < 1
            else "no GSB would be found in 4 of 5 such studies"
        )
        notes.append(
            f"{pair.first} and {pair.second} on {prompts} prompts: {verdict}; {power}."
        )
    if summary.num_unseen:
        notes.append(
            f"{summary.num_unseen} of {summary.num_items} comparisons have no vote."
        )
    left_out = [one.rater for one in summary.raters if not one.is_counted]
    if left_out:
        notes.append(f"Not counted: the votes of {', '.join(left_out)}.")
    failed = [
        f"{one.rater} ({one.checks_passed}/{one.num_checks})"
        for one in summary.raters
        if one.checks_passed < one.num_checks
    ]
    if failed:
        notes.append(f"Checks of attention passed: {', '.join(failed)}.")
    if summary.left_share.low > 0.5 or summary.left_share.high < 0.5:
        notes.append(
            f"Raters chose A in {summary.left_share.mean:.0%} of the votes for a side: "
            "the position mattered. Sides are random, so it favours no system."
        )
    return tuple(notes)
