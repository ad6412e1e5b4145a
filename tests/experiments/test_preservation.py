"""The table of how well an edit region is found."""

from experiments.preservation import RegionScore, table_lines


def _score(task, precision, recall):
    return RegionScore(
        way="perfect edit",
        task=task,
        precision=precision,
        recall=recall,
        found=0.25,
        true=0.5,
    )


def test_a_region_not_found_counts_for_recall_alone():
    scores = [_score("recolor", 0.5, 1.0), _score("text_add", float("nan"), 0.0)]
    _, _, everything, recolor, text_add = table_lines(scores)
    assert everything == "| perfect edit | 2 | 0.500 | 0.500 | 0.250 | 0.500 | 1 |"
    assert recolor.startswith("| perfect edit: recolor | 1 | 0.500 | 1.000 |")
    assert text_add.startswith("| perfect edit: text_add | 1 | - | 0.000 |")
