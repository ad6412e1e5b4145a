"""Puts the benchmark's words in place of those that the data engine's samplers draw.

A sampled edit is parameters, not pixels, so its texts can be exchanged before anything
is drawn. One renaming holds for the scene before and after: equal texts stay equal,
translations stay translations, and cheaper prices stay cheaper.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.layout import edit as layout
from tbstar_jax.data_engine.layout import vocabulary as trained
from tbstar_jax.data_engine.layout.card import (
    Badge,
    Card,
    Logo,
    Part,
    Price,
    Product,
    Text,
    Watermark,
)
from tbstar_jax.data_engine.layout.naming import text_of
from tbstar_jax.data_engine.layout.vocabulary import Words
from tbstar_jax.data_engine.render.scene import LABEL_TEXTS
from tbstar_jax.data_engine.studio import edits as studio
from tbstar_jax.data_engine.studio import sampling
from tbstar_jax.data_engine.studio.scene import Scene
from tbstar_jax.evaluation.cases import vocabulary


@dataclasses.dataclass(frozen=True, kw_only=True)
class Renaming:
    """The benchmark's word for each of the data engine's.

    Attributes:
      headlines, notes, badges, marks, brands: texts of both languages.
      prices: amounts without their currency sign.
      labels: prints on the studio's products.
      card_labels: prints on the products of cards.
    """

    headlines: Mapping[str, str]
    notes: Mapping[str, str]
    badges: Mapping[str, str]
    marks: Mapping[str, str]
    brands: Mapping[str, str]
    prices: Mapping[str, str]
    labels: Mapping[str, str]
    card_labels: Mapping[str, str]


def draw_renaming(rng: np.random.Generator) -> Renaming:
    """Draws which word takes the place of which; no two become one."""
    amounts = np.sort(
        rng.permutation(len(vocabulary.PRICES))[: len(trained.PRICES)]
    ).tolist()
    prices = dict(
        zip(trained.PRICES, (vocabulary.PRICES[k] for k in amounts), strict=True)
    )
    return Renaming(
        headlines=_paired(rng, trained.HEADLINES, vocabulary.HEADLINES),
        notes=_paired(rng, trained.NOTES, vocabulary.NOTES),
        badges=_paired(rng, trained.BADGES, vocabulary.BADGES),
        marks=_paired(rng, trained.MARKS, vocabulary.MARKS),
        brands=_paired(rng, trained.BRANDS, vocabulary.BRANDS),
        prices=prices,
        labels=_single(rng, sampling.TEXTS_EN, vocabulary.LABELS_EN)
        | _single(rng, sampling.TEXTS_ZH, vocabulary.LABELS_ZH),
        card_labels=_single(rng, LABEL_TEXTS, vocabulary.LABELS_EN),
    )


def retext_scene(scene: Scene, renaming: Renaming) -> Scene:
    """The scene with the benchmark's words on its labels."""
    items = []
    for item in scene.items:
        label = item.label
        if label is not None and label.text:
            text = renaming.labels[label.text]
            item = dataclasses.replace(
                item, label=dataclasses.replace(label, text=text)
            )
        items.append(item)
    return dataclasses.replace(scene, items=tuple(items))


def retext_studio(edit: studio.Edit, renaming: Renaming) -> studio.Edit:
    """The edit with the benchmark's words, in scenes and facts."""
    facts = edit.facts
    for name in ("text", "new_text"):
        text = getattr(facts, name)
        if text is not None:
            changed: dict[str, str] = {name: renaming.labels[text]}
            facts = dataclasses.replace(facts, **changed)  # type: ignore[arg-type]
    return dataclasses.replace(
        edit,
        before=retext_scene(edit.before, renaming),
        after=retext_scene(edit.after, renaming),
        facts=facts,
    )


def retext_layout(edit: layout.Edit, renaming: Renaming) -> layout.Edit:
    """The edit with the benchmark's words, in cards and facts."""
    before, after = (_retext_card(one, renaming) for one in (edit.before, edit.after))
    texts: dict[str, str] = {}
    for old, new in ((edit.before, before), (edit.after, after)):
        other = edit.after if old is edit.before else edit.before
        for was, now in zip(old.parts, new.parts, strict=True):
            if other.part(was.id) != was and text_of(was):
                texts[text_of(was)] = text_of(now)
    facts = edit.facts
    return dataclasses.replace(
        edit, before=before, after=after, facts=_retext_facts(facts, texts, renaming)
    )


def _retext_facts(facts: Facts, texts: Mapping[str, str], renaming: Renaming) -> Facts:
    return dataclasses.replace(
        facts,
        text=texts[facts.text] if facts.text else None,
        new_text=texts[facts.new_text] if facts.new_text else None,
        brands=tuple(renaming.brands[brand] for brand in facts.brands),
    )


def _retext_card(card: Card, renaming: Renaming) -> Card:
    parts = tuple(_retext_part(part, renaming) for part in card.parts)
    return dataclasses.replace(card, parts=parts)


def _retext_part(part: Part, renaming: Renaming) -> Part:
    match part:
        case Text():
            words = renaming.headlines if part.kind == "headline" else renaming.notes
            return dataclasses.replace(part, text=words[part.text])
        case Badge():
            return dataclasses.replace(part, text=renaming.badges[part.text])
        case Watermark():
            return dataclasses.replace(part, text=renaming.marks[part.text])
        case Logo():
            return dataclasses.replace(part, name=renaming.brands[part.name])
        case Price():
            old = part.old_text
            return dataclasses.replace(
                part,
                text=_price(part.text, renaming),
                old_text=_price(old, renaming) if old else None,
            )
        case Product() if part.scene.label:
            label = part.scene.label
            label = dataclasses.replace(label, text=renaming.card_labels[label.text])
            scene = dataclasses.replace(part.scene, label=label)
            return dataclasses.replace(part, scene=scene)
        case _:
            return part


def _price(text: str, renaming: Renaming) -> str:
    return text[0] + renaming.prices[text[1:]]


def _paired(
    rng: np.random.Generator, old: Sequence[Words], new: Sequence[Words]
) -> dict[str, str]:
    order = rng.permutation(len(new))[: len(old)]
    renaming: dict[str, str] = {}
    for was, k in zip(old, order, strict=True):
        renaming |= {was.en: new[int(k)].en, was.zh: new[int(k)].zh}
    return renaming


def _single(
    rng: np.random.Generator, old: Sequence[str], new: Sequence[str]
) -> dict[str, str]:
    order = rng.permutation(len(new))
    # More old words than new ones would make two of them one.
    assert len(old) <= len(new), "the benchmark has too few label texts"
    return {was: new[int(k)] for was, k in zip(old, order[: len(old)], strict=True)}
