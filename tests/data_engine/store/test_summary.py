"""Counts of a set, and the table of several."""

from tbstar_jax.data_engine.store.index import replace_statuses
from tbstar_jax.data_engine.store.summary import (
    format_summaries,
    read_status_counts,
    summarise,
)
from tests.data_engine.store.samples import make_pair, write_indexed


def test_a_set_is_counted_from_its_index(tmp_path):
    records = [make_pair(k, scene=f"scene-{k // 2}") for k in range(4)]
    records.append(make_pair(9, task="", provenance={"licence": "CC-BY-4.0"}))
    directory = write_indexed(tmp_path / "pairs", records)
    replace_statuses(directory, {"record-1": "rejected:shift"})
    assert read_status_counts(directory) == {"kept": 4, "rejected:shift": 1}
    summary = summarise(directory)
    assert (summary.num_records, summary.num_scenes) == (5, 3)
    other = summarise(write_indexed(tmp_path / "few", [make_pair(7)]))
    assert format_summaries([summary, other]) == (
        """
                          pairs  few
records                       5    1
scenes                        3    1
statuses: kept                4    1
statuses: rejected:shift      1    0
tasks: (none)                 1    0
tasks: recolor                4    1
methods: template             5    1
licences: CC-BY-4.0           1    0
licences: CC0-1.0             4    1
"""
    ).strip("\n")
