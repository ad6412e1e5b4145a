"""What the makers of pictures say of them, in a file beside them."""

import json

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.folder import told_settings


def test_it_is_read_as_it_stands(tmp_path):
    assert told_settings(tmp_path) == {}
    told = {
        "system": "ours",
        "num_steps": 28,
        "guidance": 4.5,
        "resize": None,
        "is_fast": True,
    }
    (tmp_path / "run.json").write_text(json.dumps(told))
    assert told_settings(tmp_path) == told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[1, 2]", "no object of names and single values"),
        ('{"a": [1]}', "no object of names and single values"),
        ('{"a": {"b": 1}}', "no object of names and single values"),
        ('{"a": NaN}', "NaN is no number"),
        (json.dumps({"a": "x" * 501}), "at most 500 characters"),
        (json.dumps({"x" * 501: 1}), "at most 500 characters"),
        (" " * (1 << 16) + "{}", "more than 65536 bytes"),
    ],
)
def test_what_is_no_plain_object_is_refused(tmp_path, text, said):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UserError, match=said):
        told_settings(tmp_path)
