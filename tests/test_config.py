"""Overrides, JSON and digests of frozen dataclasses."""

import dataclasses
from pathlib import Path
from typing import Literal

import pytest

from tbstar_jax.config import (
    apply_overrides,
    digest,
    from_dict,
    from_json,
    leaf_paths,
    to_dict,
    to_json,
)
from tbstar_jax.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.1
    width: int = 8
    targets: tuple[str, ...] = ("a", "b")
    grid: tuple[int, int] = (2, 3)
    attention: Literal["cached", "full"] = "cached"

    def __post_init__(self):
        if self.width % self.grid[0]:
            raise ValueError(f"width {self.width} is no multiple of {self.grid[0]}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer:
    workdir: Path
    inner: Inner = Inner()
    is_verified: bool = False
    limit: int | None = None
    name: str = "x"


CONFIG = Outer(workdir=Path("runs/a"))


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        ("workdir=runs/b", "workdir", Path("runs/b")),
        ("inner.rate=3e-4", "inner.rate", 3e-4),
        ("inner.rate=1", "inner.rate", 1.0),
        ("inner.width=16", "inner.width", 16),
        ("inner.targets=q, k,v", "inner.targets", ("q", "k", "v")),
        ('inner.targets=["q"]', "inner.targets", ("q",)),
        ("inner.targets=", "inner.targets", ()),
        ("inner.grid=4,5", "inner.grid", (4, 5)),
        ("inner.attention=full", "inner.attention", "full"),
        ("is_verified=true", "is_verified", True),
        ("limit=3", "limit", 3),
        ("limit=none", "limit", None),
        ("name=a=b", "name", "a=b"),
    ],
)
def test_an_override_is_read_as_its_annotation_says(assignment, path, value):
    result = apply_overrides(CONFIG, [assignment])
    for name in path.split("."):
        result = getattr(result, name)
    assert result == value
    assert type(result) is type(value)


def test_overrides_leave_the_original_config_and_other_leaves_alone():
    result = apply_overrides(CONFIG, ["inner.width=4", "name=y"])
    expected = dataclasses.replace(CONFIG, inner=Inner(width=4), name="y")
    assert result == expected
    assert CONFIG.inner.width == 8


def test_cross_field_checks_see_all_overrides_at_once():
    result = apply_overrides(CONFIG, ["inner.width=9", "inner.grid=3,3"])
    assert (result.inner.width, result.inner.grid) == (9, (3, 3))


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("iner.rate=1", "there is no setting iner.rate; the nearest is inner.rate"),
        ("rate=1", "there is no setting rate; the nearest is inner.rate"),
        ("name.x=1", "there is no setting name.x; the nearest is name"),
        ("inner.width=1.5", "inner.width is '1.5'; it must be a whole number"),
        ("inner.rate=nan", "inner.rate is 'nan'; it must be a finite number"),
        ("is_verified=yes", "is_verified is 'yes'; it must be true or false"),
        ("inner.attention=x", "inner.attention is 'x'; it must be one of cached, full"),
        ("inner.grid=1", "inner.grid has 1 elements; it must have 2"),
        ("inner.width=9", "width 9 is no multiple of 2"),
        ("inner.rate", "cannot read the override 'inner.rate'"),
        ("inner=3", "inner is a group of settings; set one of inner.rate"),
    ],
)
def test_a_wrong_override_is_one_clear_sentence(assignment, sentence):
    with pytest.raises(UserError, match="^" + sentence.replace("[", r"\[")):
        apply_overrides(CONFIG, [assignment])


def test_the_same_path_twice_is_refused():
    with pytest.raises(UserError, match="name is set twice"):
        apply_overrides(CONFIG, ["name=a", "name=b"])


def test_json_round_trip_restores_an_equal_config():
    config = dataclasses.replace(CONFIG, limit=7, inner=Inner(targets=("z",)))
    assert from_json(Outer, to_json(config)) == config


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"extra": 1}, "Outer has the unknown key 'extra'"),
        ({"is_verified": 1}, "is_verified is 1; it must be a bool"),
        ({"name": None}, "name is None; it must be a str"),
        ({"workdir": 3}, "workdir is 3; it must be a Path"),
        ({"inner": []}, "inner is .*; it must be an object"),
        ({"limit": True}, "limit is True; it must be a int"),
    ],
)
def test_a_dict_with_wrong_content_is_refused_by_path(change, sentence):
    with pytest.raises(UserError, match=sentence):
        from_dict(Outer, to_dict(CONFIG) | change)


def test_a_missing_key_is_refused_by_path():
    values = to_dict(CONFIG)
    del values["inner"]["rate"]
    with pytest.raises(UserError, match="inner lacks rate"):
        from_dict(Outer, values)


def test_a_field_that_is_none_unless_given_may_be_missing():
    values = to_dict(CONFIG)
    del values["limit"]
    assert from_dict(Outer, values) == CONFIG


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reserved:
    as_: Literal["a", "b"] | None = None


def test_a_name_python_reserves_is_written_without_its_underscore():
    config = apply_overrides(Reserved(), ["as=b"])
    assert config == Reserved(as_="b")
    assert leaf_paths(config) == ["as"]
    assert to_dict(config) == {"as": "b"}
    assert from_dict(Reserved, {"as": "b"}) == config


@dataclasses.dataclass(frozen=True, kw_only=True)
class Other:
    depth: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Either:
    part: Inner | Other


def test_one_of_two_configs_is_told_by_its_fields():
    for config in (Either(part=Inner()), Either(part=Other(depth=3))):
        assert from_dict(Either, to_dict(config)) == config
    config = apply_overrides(Either(part=Other(depth=3)), ["part.depth=4"])
    assert config == Either(part=Other(depth=4))


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ({"depth": 3, "width": 1}, "part has the unknown key 'width'"),
        ([], "part is .*; it must be an object"),
    ],
)
def test_what_is_neither_of_two_configs_is_an_error(part, sentence):
    with pytest.raises(UserError, match=sentence):
        from_dict(Either, {"part": part})


def test_broken_json_is_a_user_error():
    with pytest.raises(UserError, match="the Outer is not valid JSON"):
        from_json(Outer, "{")


def test_equal_configs_share_a_digest_and_any_change_moves_it():
    same = dataclasses.replace(CONFIG)
    other = apply_overrides(CONFIG, ["inner.rate=0.2"])
    assert digest(CONFIG) == digest(same)
    assert digest(CONFIG) != digest(other)
    assert len(digest(CONFIG)) == 64


def test_leaf_paths_are_listed_in_declaration_order():
    assert leaf_paths(CONFIG) == [
        "workdir",
        "inner.rate",
        "inner.width",
        "inner.targets",
        "inner.grid",
        "inner.attention",
        "is_verified",
        "limit",
        "name",
    ]
