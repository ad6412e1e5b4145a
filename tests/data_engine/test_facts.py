"""Facts: what may stand in them, and how a record carries them."""

import dataclasses

import pytest

from tbstar_jax.data_engine.facts import Facts, facts_of, with_facts
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import EditRecord

PHOTO = EditRecord(
    key="photo-1",
    source_images=(b"",),
    target_image=b"",
    change_mask=b"",
    instructions_en=(),
    instructions_zh=(),
    task="recolor",
    scene="s",
    provenance={"licence": "CC0-1.0"},
)


def test_json_holds_what_is_known_and_leads_back():
    facts = Facts(object_en="mug", count=2, position="top left", brands=("Acme",))
    values = {
        "object_en": "mug",
        "count": 2,
        "position": "top left",
        "brands": ["Acme"],
    }
    assert facts.to_json() == values
    assert Facts.from_json(values) == facts
    assert Facts().to_json() == {}


def test_a_record_without_facts_has_empty_ones_and_keeps_its_other_notes():
    assert facts_of(PHOTO) == Facts()
    record = with_facts(PHOTO, Facts(text="SALE"))
    assert facts_of(record) == Facts(text="SALE")
    assert record.provenance["licence"] == "CC0-1.0"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"objekt": "mug"}, "no field 'objekt'"),
        ({"object_en": 3}, "object_en is 3"),
        ({"object_en": " "}, "visible text"),
        ({"object_en": "a\nb"}, "visible text"),
        ({"object_en": "x" * 201}, "has 201 characters"),
        ({"count": True}, "count is True"),
        ({"new_count": -1}, "new_count is -1"),
        ({"count": 10_001}, "0 to 10000"),
        ({"position": "behind"}, "must be one of left, right"),
        ({"text_language": "fr"}, "must be one of en, zh"),
        ({"brands": "Acme"}, "list of names"),
        ({"brands": [3]}, "brands is 3"),
    ],
)
def test_a_record_with_unreadable_facts_is_named(values, message):
    record = dataclasses.replace(PHOTO, provenance={"facts": values})
    with pytest.raises(UserError, match="photo-1") as caught:
        facts_of(record)
    assert message in str(caught.value)


def test_a_message_stays_short_whatever_the_value():
    with pytest.raises(UserError) as caught:
        Facts.from_json({"count": "9" * 2_000, "x" * 10: 1})
    assert len(str(caught.value)) < 1500
    with pytest.raises(UserError) as caught:
        Facts.from_json({"count": "9" * 2_000})
    assert len(str(caught.value)) < 200


def test_facts_that_are_no_object_are_refused():
    record = dataclasses.replace(PHOTO, provenance={"facts": ["mug"]})
    with pytest.raises(UserError, match="are a list"):
        facts_of(record)
