"""Columns of learned metrics, of systems and anchors, named by their weights."""

from tbstar_jax.evaluation.report.boards import head_of, mean_cell
from tbstar_jax.evaluation.report.content import Absent, ReportContent
from tbstar_jax.evaluation.report.markup import Html, join, note, table
from tbstar_jax.evaluation.run.measures import with_variants


def learned_table(content: ReportContent) -> Html | Absent:
    """Means over tasks with intervals; absent where no weights were given."""
    systems = content.results.systems
    columns = [
        measure
        for measure in with_variants(content.tools)
        if measure.kind == "learned"
        and any(measure.name in system.measures for system in systems)
    ]
    if not columns:
        return Absent(reason="no weights of learned metrics were given (--learned)")
    rows: list[list[str]] = [
        [system.name, *(mean_cell(system, one, "macro") for one in columns)]
        for system in systems
    ]
    told = note(
        "Numbers of other weights are not comparable. What is compared with the photo "
        "rewards doing nothing: copy_input is then the best there is. A mean is over "
        "the answers that have a number: captions, for one, not every task has."
    )
    heads = ["system", *(head_of(one) for one in columns)]
    return join(table("Means over tasks, interval below", heads, rows, "numbers"), told)
