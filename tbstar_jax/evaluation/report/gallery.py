"""For each task the worst, a median and the best answer, and where they are wrong."""

from collections.abc import Mapping, Sequence

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.answer import sample_name
from tbstar_jax.evaluation.cases.case import GROUND_TRUTH
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.report.album import LONGEST_SIDE, Album
from tbstar_jax.evaluation.report.content import (
    Absent,
    PromptPictures,
    ReportContent,
)
from tbstar_jax.evaluation.report.error_map import LEGEND, THRESHOLD, error_map
from tbstar_jax.evaluation.report.figures import tasks_of
from tbstar_jax.evaluation.report.judged import reasons
from tbstar_jax.evaluation.report.markup import Html, join, note, shown, tag
from tbstar_jax.evaluation.run.results import SystemResult
from tbstar_jax.evaluation.scores.record import ScoreRecord

_FREE = (
    "This task has several good answers: blue and orange say whether the answer is the "
    "reference's drawing, not whether it is right."
)


def gallery(content: ReportContent, main: SystemResult, album: Album) -> Html | Absent:
    """Three answers of each task; the first task is open.

    Args:
      content: of the report.
      main: the system whose answers are shown.
      album: makes the pictures; once it is full, figures are words only.
    """
    records = content.records_of(main.name)
    if not records:
        return Absent(reason="the answers of the system were not given")
    said: dict[str, list[Judgement]] = {}
    for judgement in content.judgements:  # of first samples
        if judgement.system == main.name:
            said.setdefault(judgement.prompt, []).append(judgement)
    blocks: list[Html] = []
    for task in tasks_of(main):
        chosen = examples([record for record in records if record.task == task])
        figures = [
            _figure(content, rank, record, said, album)
            for rank, record in chosen.items()
        ]
        found = main.measures["consistency"].tasks[task]
        label = f"C {shown(found.mean, 2)} on {found.num_prompts} prompts"
        free = (note(_FREE),) if GROUND_TRUTH.get(task, "exact") != "exact" else ()
        summary = tag("summary", tag("b", task), " ", tag("small", label))
        is_open = not blocks
        blocks.append(tag("details", summary, *free, *figures, open=is_open))
    return join(_legend(), *blocks)


def examples(records: Sequence[ScoreRecord]) -> Mapping[str, ScoreRecord]:
    """Worst, median and best by C, fewer where there are fewer answers.

    Among equals the one of the first prompt; of an even number the lower median. Where
    the median's scene is one of the other two, the nearest answer of a third takes its
    place.
    """
    ranked = sorted(
        records, key=lambda record: (record.consistency, record.prompt, record.sample)
    )
    if len(ranked) < 2:
        return dict(zip(("only",), ranked, strict=False))
    worst, best = ranked[0], ranked[-1]
    if len(ranked) == 2:
        return {"worst": worst, "best": best}
    middle = (len(ranked) - 1) // 2
    near = sorted(range(1, len(ranked) - 1), key=lambda rank: abs(rank - middle))
    others = [ranked[k] for k in near if ranked[k].case not in (worst.case, best.case)]
    return {"worst": worst, "median": (others or [ranked[middle]])[0], "best": best}


def _figure(
    content: ReportContent,
    rank: str,
    record: ScoreRecord,
    said: Mapping[str, Sequence[Judgement]],
    album: Album,
) -> Html:
    head = tag(
        "h4",
        f"{rank}: C {record.consistency:.2f}, E {record.edit:.2f}, "
        f"P {record.preservation:.2f} ",
        tag("small", sample_name(record.prompt, record.sample)),
    )
    try:
        shown_ = content.pictures(record)
    except UserError as error:
        return tag("figure", head, tag("p", str(error)), class_="example")
    asked = tag(
        "p",
        tag("span", shown_.english, lang="en"),
        tag("br"),
        tag("span", shown_.chinese, lang="zh"),
        class_="ask",
    )
    told = () if record.sample else (reasons(said.get(record.prompt, ())),)
    return tag(
        "figure",
        head,
        asked,
        _pictures(shown_, record, album),
        tag("figcaption", _parts(record), *told),
        class_="example",
    )


def _pictures(shown_: PromptPictures, record: ScoreRecord, album: Album) -> Html:
    if album.is_full:
        return note("No pictures: the page has as many as it can carry.")
    label = f"{record.task}, {record.prompt}"
    cells = [
        _picture(album.photo(shown_.source, f"{label}: source"), "source"),
        _picture(album.photo(shown_.reference, f"{label}: reference"), "reference"),
    ]
    if shown_.object_photo is not None:
        second = album.photo(shown_.object_photo, f"{label}: second picture")
        cells.insert(1, _picture(second, "second picture"))
    if shown_.answer is None:
        missing = f"No picture: {record.status}."
        cells.append(_picture(tag("p", missing, class_="missing"), "output"))
    else:
        # A grid of the pixels is enough for what is shown: twice as fine as that.
        step = -(-max(shown_.edit_mask.shape) // (2 * LONGEST_SIDE))
        grid = (slice(None, None, step), slice(None, None, step))
        wrong = error_map(
            shown_.reference[grid], shown_.answer[grid], shown_.edit_mask[grid]
        )
        size = f", {record.status}" if record.status != "ok" else ""
        cells.append(
            _picture(album.photo(shown_.answer, f"{label}: output"), f"output{size}")
        )
        cells.append(_picture(album.map(wrong, f"{label}: error map"), "error map"))
    is_wider = shown_.object_photo is not None
    return tag("div", *cells, class_="row five" if is_wider else "row")


def _picture(picture: Html, label: str) -> Html:
    return tag("div", picture, tag("small", label))


def _parts(record: ScoreRecord) -> Html:
    if not record.edit_parts:
        return tag("p", f"Status {record.status}.", class_="parts")
    weakest = min(record.edit_parts, key=lambda name: record.edit_parts[name])
    told = [
        tag("b" if name == weakest else "span", f"{name} {value:.2f}")
        for name, value in record.edit_parts.items()
    ]
    spaced = [join(one, " ") for one in told]
    return tag("p", "Parts of E, the lowest in bold: ", *spaced, class_="parts")


def _legend() -> Html:
    items = [
        tag("li", tag("i", class_="swatch", style=f"background:{color}"), f" {label}")
        for color, label in LEGEND
    ]
    told = note(
        f"Error maps: a pixel is right where it is within CIEDE2000 {THRESHOLD:g} of "
        "the reference, which outside the edit is the source."
    )
    return join(told, tag("ul", *items, class_="legend"))
