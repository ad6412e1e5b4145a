"""Edits of what lies below the parts: the backdrop and the product's colour."""

import dataclasses

import numpy as np

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.layout import vocabulary
from tbstar_jax.data_engine.layout.bases import (
    backdrop_noun,
    card_base,
    sample_backdrop,
    tone_of,
    white_backdrop,
)
from tbstar_jax.data_engine.layout.card import Card, Product, Promo
from tbstar_jax.data_engine.layout.edit import Edit
from tbstar_jax.data_engine.layout.naming import named_color, object_facts, worded
from tbstar_jax.data_engine.layout.sampling import fill_card
from tbstar_jax.data_engine.render.sampling import sample_product_color, stands_out
from tbstar_jax.data_engine.render.scene import Background


def replace_backdrop(rng: np.random.Generator, card: Card, task: str) -> Edit | None:
    """Puts the product and all parts in front of another backdrop.

    Args:
      rng: source of random numbers.
      card: backdrop and product.
      task: `bg_white` or `bg_scene`.

    Returns:
      The edit, or None where the product would not stand out.
    """
    product = card.part("product")
    assert isinstance(product, Product), "the card has no product"
    color = product.scene.color
    if task == "bg_white":
        backdrop: Background | Promo = white_backdrop()
        if not stands_out(color.rgb, tone_of(backdrop)):
            return None
    else:
        backdrop = sample_backdrop(rng, [color.rgb])
    old = card.backdrop
    assert isinstance(old, (Background, Promo)), "a photo has no other backdrop"
    if backdrop_noun(old) == backdrop_noun(backdrop):
        return None
    replaced = dataclasses.replace(card, backdrop=backdrop)
    base = card_base(rng, card, [replaced])
    before = fill_card(rng, base, (), int(rng.integers(0, 3)))
    if before is None:
        return None
    nouns = backdrop_noun(old), backdrop_noun(backdrop)
    white = vocabulary.WHITE_BACKGROUND
    new = white if task == "bg_white" else nouns[1]
    return Edit(
        task=task,
        before=before,
        after=dataclasses.replace(before, backdrop=backdrop),
        wording="bg_white" if task == "bg_white" else "bg_scene",
        facts=Facts(
            **object_facts(product),
            **worded("background", nouns[0]),
            **worded("new_background", new),
        ),
    )


def recolor_product(rng: np.random.Generator, card: Card) -> Edit | None:
    """Gives the product another colour; its shadow and its label stay."""
    product = card.part("product")
    assert isinstance(product, Product), "the card has no product"
    scene = product.scene
    color = sample_product_color(rng, scene.background, scene.color)
    base = card_base(rng, card)
    before = fill_card(rng, base, (), int(rng.integers(1, 3)))
    if before is None:
        return None
    changed = dataclasses.replace(
        product, scene=dataclasses.replace(scene, color=color)
    )
    facts = object_facts(product) | named_color("new_color", color)
    return Edit(
        task="recolor",
        before=before,
        after=before.plus(changed),
        wording="recolor",
        facts=Facts(**facts),
    )
