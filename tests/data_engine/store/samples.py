"""Small pairs with notes, and sets of them with an index, for the tests beside."""

import dataclasses

from tbstar_jax.data_engine.store.index import index_line, index_table, write_index
from tbstar_jax.input_pipeline.records import EditRecord, write_records
from tests.input_pipeline.samples import make_record


def make_pair(index, *, provenance=None, **changes) -> EditRecord:
    notes = {"method": "template", "licence": "CC0-1.0", "origin": "here"}
    record = dataclasses.replace(make_record(index), **changes)
    return dataclasses.replace(record, provenance=notes | (provenance or {}))


def write_indexed(directory, records, split="train"):
    write_records(directory, "s", split, records, 1000)
    write_index(directory, index_table([index_line(record) for record in records]))
    return directory
