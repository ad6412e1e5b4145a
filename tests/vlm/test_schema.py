"""Replies read into dataclasses, and the schema that asks for them."""

import dataclasses
from typing import Literal

import pytest

from tbstar_jax.vlm.schema import NotValidError, read_as, schema_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Box:
    left: int
    right: int

    def __post_init__(self):
        if self.left >= self.right:
            raise ValueError("left is not left of right")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    scores: tuple[float, ...]
    reason: str
    is_same: bool
    grade: Literal["good", "bad"]
    box: Box | None


GOOD = {
    "scores": [7, 8.5],
    "reason": "ok",
    "is_same": True,
    "grade": "good",
    "box": {"left": 1, "right": 2},
}


def test_a_valid_reply_is_read():
    assert read_as(Verdict, GOOD) == Verdict(
        scores=(7.0, 8.5),
        reason="ok",
        is_same=True,
        grade="good",
        box=Box(left=1, right=2),
    )
    without = {name: value for name, value in GOOD.items() if name != "box"}
    assert read_as(Verdict, without).box is None


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"scores": "7"}, "reply.scores is no list"),
        ({"scores": ["7"]}, r"reply.scores\[0\] is no number"),
        ({"scores": [True]}, r"reply.scores\[0\] is no number"),
        ({"scores": [10**400]}, r"reply.scores\[0\] is too large"),
        ({"scores": None}, "reply.scores is no list"),
        ({"reason": 3}, "reply.reason is no string"),
        ({"reason": "\ud83d"}, "reply.reason holds characters"),
        ({"reason": "a\0b"}, "reply.reason holds characters"),
        ({"is_same": 1}, "reply.is_same is no boolean"),
        ({"is_same": "true"}, "reply.is_same is no boolean"),
        ({"grade": "Good"}, "reply.grade is none of good, bad"),
        ({"grade": []}, "reply.grade is none of good, bad"),
        ({"box": [1, 2]}, "reply.box is no object"),
        ({"box": {"left": 1}}, "reply.box lacks right"),
        ({"box": {"left": 1.0, "right": 2}}, "reply.box.left is no integer"),
        ({"box": {"left": 2, "right": 1}}, "reply.box: left is not left of right"),
        ({"extra": 1}, "reply has the unknown key 'extra'"),
    ],
)
def test_anything_else_is_refused_with_its_place(change, where):
    with pytest.raises(NotValidError, match=where):
        read_as(Verdict, GOOD | change)


def test_no_object_and_a_missing_key_are_refused():
    with pytest.raises(NotValidError, match="reply is no object"):
        read_as(Verdict, [GOOD])
    with pytest.raises(NotValidError, match="reply lacks scores"):
        read_as(Verdict, {})


def test_the_schema_is_the_one_strict_output_wants():
    assert schema_of(Verdict) == {
        "type": "object",
        "properties": {
            "scores": {"type": "array", "items": {"type": "number"}},
            "reason": {"type": "string"},
            "is_same": {"type": "boolean"},
            "grade": {"type": "string", "enum": ["good", "bad"]},
            "box": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {
                            "left": {"type": "integer"},
                            "right": {"type": "integer"},
                        },
                        "required": ["left", "right"],
                        "additionalProperties": False,
                    },
                    {"type": "null"},
                ]
            },
        },
        "required": ["scores", "reason", "is_same", "grade", "box"],
        "additionalProperties": False,
    }
