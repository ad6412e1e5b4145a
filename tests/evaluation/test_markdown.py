"""Names in a table cannot end it."""

from tbstar_jax.evaluation.markdown import markdown_table


def test_a_table_has_a_line_per_row_and_a_cell_per_column():
    assert markdown_table(["name", "n"], [["a|b", "1"], ["c\nd", ""]]) == (
        "| name | n |\n|---|--:|\n| a\\|b | 1 |\n| c d |  |"
    )
