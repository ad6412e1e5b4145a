import dataclasses

import numpy as np
import pytest

from tbstar_jax.data_engine.layout.card import (
    Badge,
    Card,
    Code,
    Damage,
    Frame,
    Light,
    Logo,
    Photo,
    Price,
    Promo,
    Rect,
    Text,
    Watermark,
    card_digest,
)
from tbstar_jax.data_engine.layout.drawing import Drawing, draw, photo_backdrop, prove
from tbstar_jax.data_engine.layout.shapes import ASPECTS
from tbstar_jax.data_engine.layout.vocabulary import LOGO_NOUNS
from tbstar_jax.data_engine.render.scene import color_by_id

SIZE = (64, 96)
RED, WHITE, TEAL = (color_by_id(id) for id in ("red", "white", "teal"))


def rect(top=0.1, left=0.1, height=0.4, width=0.4):
    return Rect(top=top, left=left, height=height, width=width)


BADGE = Badge(
    id="badge",
    rect=rect(),
    place="top left",
    form="circle",
    text="NEW",
    language="en",
    fill=RED,
    ink=WHITE,
    turn=0.0,
    shadow=0.3,
)
LOGO = Logo(
    id="logo",
    rect=rect(0.7, 0.5, 0.2, 0.4),
    place="bottom right",
    form="ring",
    name="Velta",
    language="en",
    fill=TEAL,
    plate=(252, 252, 250),
)
TEXT = Text(
    id="headline",
    kind="headline",
    rect=rect(0.1, 0.55, 0.2, 0.4),
    place="top right",
    text="新品",
    language="zh",
    ink=RED,
    weight="bold",
    align="center",
    outline=None,
    plate=None,
)
PRICE = Price(
    id="price",
    rect=rect(0.4, 0.55, 0.25, 0.4),
    place="right",
    text="¥59",
    old_text="¥99",
    ink=WHITE,
    plate=RED,
)
PARTS = (
    Light(id="light", kind="vignette", strength=0.6),
    Frame(id="frame", form="double", fill=TEAL, thickness=0.03),
    Code(id="code", rect=rect(0.6, 0.1, 0.3, 0.2), place="bottom left", seed=3),
    LOGO,
    BADGE,
    PRICE,
    TEXT,
    Watermark(
        id="watermark",
        text="SAMPLE",
        language="en",
        pattern="tiled",
        gray=40,
        opacity=0.4,
        turn=30.0,
    ),
    Damage(id="damage", kind="scratch", seed=5, gray=240),
)
BACKDROP = Promo(kind="gradient", first=color_by_id("yellow"), second=(255, 240, 200))
CARD = Card(size=SIZE, backdrop=BACKDROP, parts=PARTS)


def test_the_digest_is_the_hash_of_the_canonical_json():
    card = Card(size=(64, 64), backdrop=Photo(digest="ab"), parts=())
    # SHA-256 of [[64,64],["Photo",{"digest":"ab"}],[]]
    assert card_digest(card) == (
        "f5121dbd3af108e106fd4b3436db5b5a6a542b9fcdccec094676a75dcc602620"
    )


OTHERS = {
    "id": "other",
    "rect": rect(0.2),
    "place": "left",
    "text": "OLD",
    "old_text": None,
    "name": "TANVO",
    "language": None,
    "ink": color_by_id("blue"),
    "fill": color_by_id("blue"),
    "plate": None,
    "kind": None,
    "form": None,
    "weight": "regular",
    "align": "left",
    "outline": (1, 2, 3),
    "turn": 0.5,
    "shadow": 0.5,
    "seed": 77,
    "thickness": 0.5,
    "pattern": "band",
    "gray": 77,
    "opacity": 0.5,
    "strength": 0.5,
}
SPECIAL = {
    "headline": {"kind": "note", "language": "en", "plate": RED},
    "price": {"plate": TEAL},
    "badge": {"form": "burst", "language": "zh"},
    "logo": {"form": "peak", "language": "zh", "plate": (9, 9, 9)},
    "frame": {"form": "line"},
    "watermark": {"language": "zh"},
    "light": {"kind": "left"},
    "damage": {"kind": "dust"},
}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.id)
def test_every_field_of_a_part_changes_the_digest(part):
    values = OTHERS | SPECIAL.get(part.id, {})
    digests = {card_digest(CARD)}
    names = [field.name for field in dataclasses.fields(part)]
    for name in names:
        changed = dataclasses.replace(part, **{name: values[name]})
        parts = tuple(changed if one is part else one for one in PARTS)
        digests.add(card_digest(dataclasses.replace(CARD, parts=parts)))
    assert len(digests) == len(names) + 1


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.id)
def test_taking_a_part_off_shows_what_was_below_it(part):
    before = draw(CARD, None)
    bare = CARD.without(part.id)
    after = draw(bare, None, like=before)
    pair = prove(before, after)
    assert np.array_equal(pair.target, draw(bare, None).picture())
    assert np.array_equal(pair.source, draw(CARD, None).picture())
    differs = np.any(pair.source != pair.target, axis=2)
    assert np.array_equal(pair.change_mask == 255, differs)
    assert differs.any()
    assert set(np.unique(pair.change_mask)) <= {0, 255}


def test_a_badge_covers_its_rectangle_only():
    card = Card(size=SIZE, backdrop=BACKDROP, parts=())
    flat = dataclasses.replace(BADGE, shadow=0.0)
    before = draw(card.plus(flat), None)
    pair = prove(before, draw(card, None, like=before))
    changed = pair.change_mask == 255
    # Rows 6.4 to 32 and columns 9.6 to 48.
    assert changed[8:31, 12:46].any()
    changed[6:32, 9:48] = False
    assert not changed.any()


def test_other_words_on_a_badge_reach_no_further_than_its_text():
    before = draw(CARD, None)
    renamed = dataclasses.replace(BADGE, text="HOT")
    pair = prove(before, draw(CARD.plus(renamed), None, like=before))
    assert 0.2 < np.mean(pair.change_mask[12:28, 16:44] > 0) < 0.8
    # The rim of the badge and the ground beside it are left alone.
    assert not pair.change_mask[:, 49:].any()
    assert not pair.change_mask[6:9, 9:48].any()


def test_a_photo_is_the_untouched_ground():
    photo = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    card = Card(size=SIZE, backdrop=photo_backdrop(photo), parts=())
    before = draw(card.plus(BADGE, TEXT), photo)
    pair = prove(before, draw(card, photo, like=before))
    assert np.array_equal(pair.target, photo)
    kept = pair.change_mask == 0
    assert np.array_equal(pair.source[kept], photo[kept])
    assert photo_backdrop(photo) != photo_backdrop(photo[:, ::-1].copy())


def test_a_change_outside_the_edited_parts_is_refused():
    before = draw(CARD, None)
    after = draw(CARD.without("badge"), None, like=before)
    leaked = after.backdrop.copy()
    leaked[60, 90] = 1.0 - leaked[60, 90]
    with pytest.raises(AssertionError, match="outside the edited layers"):
        prove(before, Drawing(after.card, leaked, after.layers))


def test_an_edit_that_reorders_parts_is_refused():
    shuffled = dataclasses.replace(CARD, parts=PARTS[::-1])
    with pytest.raises(AssertionError, match="keeps the order"):
        prove(draw(CARD, None), draw(shuffled, None))


def test_parts_are_put_in_their_order_and_replaced_in_place():
    card = Card(size=SIZE, backdrop=BACKDROP, parts=()).plus(TEXT, BADGE, LOGO)
    assert [part.id for part in card.parts] == ["logo", "badge", "headline"]
    renamed = card.plus(dataclasses.replace(BADGE, text="HOT"))
    assert [part.id for part in renamed.parts] == ["logo", "badge", "headline"]
    assert renamed.part("badge").text == "HOT"
    assert card.without("badge").part("badge") is None


@pytest.mark.parametrize("form", list(ASPECTS))
def test_every_form_fills_most_of_its_box_and_holds_its_text(form):
    card = Card(size=(128, 128), backdrop=BACKDROP, parts=())
    width = 0.3 * ASPECTS[form]
    badge = dataclasses.replace(
        BADGE, form=form, rect=rect(0.3, 0.05, 0.3, width), shadow=0.0
    )
    drawn = draw(card.plus(badge), None)
    body, text = drawn.layers["badge"][0], drawn.layers["badge"][-1]
    assert 0.55 < body.alpha.mean() <= 1.0
    shape = np.zeros((128, 128))
    rows, columns = body.alpha.shape
    shape[body.top : body.top + rows, body.left : body.left + columns] = body.alpha
    rows, columns = np.nonzero(text.alpha > 0)
    assert rows.size
    assert shape[rows + text.top, columns + text.left].min() > 0.9


def test_all_logos_differ():
    card = Card(size=SIZE, backdrop=BACKDROP, parts=())
    marks = {
        draw(card.plus(dataclasses.replace(LOGO, form=form)), None).picture().tobytes()
        for form in LOGO_NOUNS
    }
    assert len(marks) == len(LOGO_NOUNS)
