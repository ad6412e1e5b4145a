"""Counts of a set."""

from tbstar_jax.data_engine.store.index import replace_statuses
from tbstar_jax.data_engine.store.summary import (
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
    assert summary.name == "pairs"
    assert summary.statuses == {"kept": 4, "rejected:shift": 1}
    assert summary.tasks == {"recolor": 4, "": 1}
    assert summary.methods == {"template": 5}
    assert summary.licences == {"CC0-1.0": 4, "CC-BY-4.0": 1}
