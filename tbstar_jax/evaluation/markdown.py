"""Tables for terminals and pages that take Markdown."""

from collections.abc import Sequence


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table without a newline at its end; columns after the first are aligned right.

    Args:
      head: names of the columns.
      rows: cells, as many as there are columns; names in them may be anybody's.
    """
    rule = "|---|" + "--:|" * (len(head) - 1)
    return "\n".join([_line(head), rule, *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    # A pipe would end its cell, and a line break the table.
    whole = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(whole)} |"
