"""Queries: every condition alone, and all that hold together."""

import pyarrow as pa
import pytest

from tbstar_jax.data_engine.store.codecs import encode_jpeg
from tbstar_jax.data_engine.store.index import index_line, index_table
from tbstar_jax.data_engine.store.licences import allows_commercial_use
from tbstar_jax.data_engine.store.query import Query, select_rows
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image
from tests.data_engine.store.samples import make_pair


@pytest.fixture(scope="module")
def table():
    jpeg = encode_jpeg(decode_image(make_pair(5).target_image))
    records = [
        make_pair(0, provenance={"scores": {"judge": 4.5, "shift": 0.1}}),
        make_pair(1, task="bg_white", provenance={"licence": "CC-BY-NC-4.0"}),
        make_pair(2, provenance={"status": "rejected:shift", "method": "expert"}),
        make_pair(3, instructions_zh=(), provenance={"status": "flagged:warped"}),
        make_pair(4, change_mask=b"", provenance={"scores": {"judge": 2.0}}),
        make_pair(5, target_image=jpeg, provenance={"transform": "inverse"}),
    ]
    return index_table([index_line(record) for record in records])


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ({}, [0, 1, 4, 5]),
        ({"statuses": ()}, [0, 1, 2, 3, 4, 5]),
        ({"statuses": ("kept", "flagged")}, [0, 1, 3, 4, 5]),
        ({"statuses": ("flagged:warped",)}, [3]),
        ({"statuses": ("flagged:war",)}, []),
        ({"tasks": ("bg_white", "move")}, [1]),
        ({"methods": ("expert",), "statuses": ()}, [2]),
        ({"transforms": ("inverse",)}, [5]),
        ({"licences": ("CC-BY-NC-4.0",)}, [1]),
        ({"is_commercial_only": True}, [0, 4, 5]),
        ({"is_lossless_only": True}, [0, 1, 4]),
        ({"is_mask_required": True}, [0, 1, 5]),
        ({"num_sources": (0, 2)}, []),
        ({"statuses": (), "languages": ("en", "zh")}, [0, 1, 2, 4, 5]),
        ({"min_scores": {"judge": 2.0}}, [0, 4]),
        ({"min_scores": {"judge": 2.1}}, [0]),
        ({"max_scores": {"shift": 0.25}}, [0]),
        ({"max_scores": {"unknown": 9.0}}, []),
        ({"max_instruction_bytes": 13}, [0, 1, 4, 5]),
        ({"max_instruction_bytes": 12}, []),
        ({"is_lossless_only": True, "is_commercial_only": True}, [0, 4]),
    ],
)
def test_a_query_selects(table, query, rows):
    assert select_rows(table, Query(**query)).tolist() == rows


def test_an_index_of_an_earlier_version_knows_no_lengths(table):
    at = table.column_names.index("instruction_bytes")
    unknown = pa.nulls(len(table), pa.int32())
    old = table.set_column(at, "instruction_bytes", unknown)
    assert len(select_rows(old, Query())) == 4
    with pytest.raises(UserError, match=r"'record-0' does not say how long"):
        select_rows(old, Query(max_instruction_bytes=94))


def test_held_out_scenes_are_never_taken(table):
    query = Query(statuses=())
    rows = select_rows(table, query, frozenset({"scene-0", "scene-4", "else"}))
    assert rows.tolist() == [1, 2, 3, 5]


@pytest.mark.parametrize(
    ("licence", "is_allowed"),
    [
        ("CC0-1.0", True),
        ("Apache-2.0", True),
        ("MIT AND CC-BY-4.0", True),
        ("own", True),
        ("unknown", False),
        ("", False),
        ("CC-BY-NC-ND-4.0", False),
        ("CC-BY-SA-4.0", False),
        ("MIT AND CC-BY-NC-4.0", False),
        ("MITRE", False),
    ],
)
def test_only_known_permissive_licences_allow_commercial_use(licence, is_allowed):
    assert allows_commercial_use(licence) is is_allowed
