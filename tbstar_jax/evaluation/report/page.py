"""The page: sections in their order, and a list of those that are absent and why."""

import dataclasses
from collections.abc import Mapping

from tbstar_jax.evaluation.report import boards, head, panels
from tbstar_jax.evaluation.report.album import Album
from tbstar_jax.evaluation.report.content import Absent, ReportContent
from tbstar_jax.evaluation.report.difference import run_difference
from tbstar_jax.evaluation.report.drawing import Drawing
from tbstar_jax.evaluation.report.figures import NOTHING
from tbstar_jax.evaluation.report.gallery import gallery
from tbstar_jax.evaluation.report.head_to_head import head_to_head_table
from tbstar_jax.evaluation.report.judged import judge_table
from tbstar_jax.evaluation.report.learned_table import learned_table
from tbstar_jax.evaluation.report.markup import Html, join, tag
from tbstar_jax.evaluation.report.style import POLICY, page_style
from tbstar_jax.evaluation.run.results import SystemResult

_MAX_NAMES = 3
"""Of systems in a title."""

_NO_VAE = Absent(
    reason="no autoencoder was given, so the ceiling of a model that encodes the photo "
    "is not known; run the same command again with --vae=DIR, the folder of the model "
    "whose pictures these are"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page.

    Attributes:
      id: for links.
      title: its heading.
      body: what it holds, or why it is absent.
    """

    id: str
    title: str
    body: Html | Absent


def report_html(
    content: ReportContent, drawings: Mapping[str, Drawing | Absent], album: Album
) -> str:
    """Returns the page.

    Args:
      content: of the report.
      drawings: its figures, by name.
      album: makes the pictures.
    """
    main = content.main_result
    sections = _sections(content, main, drawings, album)
    title = _title(content)
    top = [
        tag("h1", f"Benchmark: {title}"),
        head.told(content),
        head.warnings(content),
        *([head.headline(content, main)] if main is not None else []),
    ]
    links = [
        tag("li", tag("a", one.title, href=f"#{one.id}"))
        for one in sections
        if not isinstance(one.body, Absent)
    ]
    body = [
        tag("a", "Skip to the results", href="#main", class_="skip"),
        tag("header", *top),
        tag("nav", tag("ul", *links), aria_label="Sections"),
        tag("main", *map(_section, sections), _absent(sections), id="main"),
    ]
    meta = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width,initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", f"Benchmark: {title}"),
        tag("style", Html(page_style())),
    ]
    page = tag("html", tag("head", *meta), tag("body", *body), lang="en")
    return f"<!doctype html>{page}\n"


def _title(content: ReportContent) -> str:
    """The systems, or how many there are, and the split."""
    names = list(content.results.runs) or [content.main]
    told = ", ".join(names)
    if len(names) > _MAX_NAMES:
        told = f"{content.main} and {len(names) - 1} other systems"
    split = str(content.results.provenance.get("split", ""))
    return f"{told} on {split}" if split else told


def _sections(
    content: ReportContent,
    main: SystemResult | None,
    drawings: Mapping[str, Drawing | Absent],
    album: Album,
) -> list[Section]:
    run = Section(
        id="run",
        title="What was run",
        body=join(head.coverage(content), head.provenance(content)),
    )
    if main is None:
        return [Section(id="leaderboard", title="Leaderboard", body=NOTHING), run]
    found: list[tuple[str, str, Html | Absent]] = [
        ("leaderboard", "Leaderboard", boards.leaderboard(content)),
        ("head-to-head", "Head to head", head_to_head_table(content.results)),
        ("learned", "Learned columns", learned_table(content)),
        ("scores", "Scores", panels.scores_panel(content)),
        ("tasks", "Tasks", panels.tasks_panel(content, main, drawings["tasks"])),
        (
            "languages",
            "English and Chinese",
            panels.languages_panel(main, drawings["languages"]),
        ),
        ("preservation", "Preservation", panels.preservation_panel(drawings)),
        ("text", "Texts", panels.text_panel(content, main, drawings["text"])),
        ("failures", "Why edits fail", boards.failures(main)),
        ("gallery", "Gallery", gallery(content, main, album)),
        ("slices", "Slices", boards.slice_table(main)),
        ("judges", "Judges", judge_table(content.judges)),
        (
            "audit",
            "Judge audit",
            boards.plain_table(content.audit, "no judge was audited"),
        ),
        (
            "preference",
            "Preference of people",
            boards.plain_table(content.preference, "no preference study was given"),
        ),
        (
            "pairwise",
            "Preference of a judge",
            boards.plain_table(content.pairwise, "no judge compared pairs of answers"),
        ),
        (
            "difference",
            "Since the previous run",
            run_difference(content),
        ),
    ]
    anchors = {one.name for one in content.results.systems if one.kind == "anchor"}
    if not anchors:
        reason = "no anchor was scored, so the scores have no yardstick"
        found.append(("anchors", "Anchors", Absent(reason=reason)))
    elif "reference_vae" not in anchors:
        found.append(("vae", "The reference through an autoencoder", _NO_VAE))
    named = [Section(id=id, title=title, body=body) for id, title, body in found]
    return [*named, run]


def _section(section: Section) -> Html:
    if isinstance(section.body, Absent):
        return Html("")
    heading = tag("h2", section.title, id=f"{section.id}-title")
    return tag(
        "section",
        heading,
        section.body,
        id=section.id,
        aria_labelledby=f"{section.id}-title",
    )


def _absent(sections: list[Section]) -> Html:
    items = [
        tag("li", tag("b", section.title), f": {section.body.reason}.")
        for section in sections
        if isinstance(section.body, Absent)
    ]
    if not items:
        return Html("")
    return tag(
        "section",
        tag("h2", "Not in this report", id="absent-title"),
        tag("ul", *items),
        id="absent",
        aria_labelledby="absent-title",
    )
