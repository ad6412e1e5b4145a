"""English requests by wording: full sentences, a merchant's notes, terse labels.

Slots are the fields of `Facts` without their language suffix, and `a_color` and its
like (noun or colour with its article), `at`, `new_at` (where), `to`, `toward` (where
to), `quoted` and `new_quoted` (text in quotation marks). A phrase whose slot is unknown
is left out.
"""

from collections.abc import Mapping

from tbstar_jax.data_engine.layout.edit import Wording

ENGLISH: Mapping[Wording, tuple[str, ...]] = {
    "bg_white": (
        "change the background to pure white",
        "replace the {background} with plain white, keep everything else",
        "put the {color} {object} on a pure white background",
        "white background please, texts and product stay",
        "main image of the {object} on white",
        "background -> white",
    ),
    "bg_scene": (
        "replace the background with {a_new_background}",
        "change the {background} to {a_new_background}",
        "put the {color} {object} in front of {a_new_background}, keep the rest",
        "new background: {new_background}",
        "we need this {object} with {a_new_background}",
        "background -> {new_background}",
    ),
    "recolor": (
        "change the color of the {object} from {color} to {new_color}",
        "make the {color} {object} {new_color}",
        "recolor the {object} {at} to {new_color}",
        "I want the {object} in {new_color}, everything else stays",
        "{object}: {new_color} instead of {color}",
        "{color} {object} -> {new_color}",
    ),
    "watermark_remove": (
        "remove the watermark",
        "remove the {quoted} watermark from the picture",
        "erase the {text_kind} that says {quoted}",
        "clean off the watermark and keep all the rest",
        "get rid of {quoted} printed over the {object}",
        "no watermark",
    ),
    "text_remove": (
        "remove the {text_kind} {at}",
        "delete the {text_kind} {quoted}",
        "erase {quoted} {at} and leave the rest untouched",
        "take out the text {quoted}",
        "we no longer need the {text_kind}, please remove it",
        "no {text_kind}",
    ),
    "text_add": (
        "add the {text_kind} {new_quoted} {at}",
        "write {new_quoted} {at} in {color}",
        "put {a_color} {text_kind} saying {new_quoted} {at}",
        "please print {new_quoted} {at}, nothing else changes",
        "{text_kind} {at}: {new_quoted}",
        "add text {new_quoted}",
    ),
    "text_replace": (
        "change the {text_kind} {quoted} to {new_quoted}",
        "replace {quoted} with {new_quoted}",
        "the {text_kind} {at} should say {new_quoted} instead of {quoted}",
        "update the {text_kind}: {new_quoted}, keep its style",
        "make the text {at} read {new_quoted}",
        "{quoted} -> {new_quoted}",
    ),
    "text_translate": (
        "translate the {text_kind} {quoted} to {new_quoted}",
        "replace {quoted} by its translation {new_quoted}",
        "the {text_kind} {at} should be in the other language: {new_quoted}",
        "other language for the {text_kind}: {new_quoted} instead of {quoted}",
        "localize {quoted} as {new_quoted}, keep the layout",
        "{quoted} -> {new_quoted}",
    ),
    "price_replace": (
        "change the price from {text} to {new_text}",
        "replace the price {text} with {new_text}",
        "it now costs {new_text}, update the price {at}",
        "the price {at} should be {new_text} instead of {text}",
        "new price {new_text}",
        "{text} -> {new_text}",
    ),
    "object_add": (
        "add {a_color} {object} {at}",
        "put {a_object} {at}",
        "place {a_object} saying {new_quoted} {at}",
        "add {a_object} next to the {other_object}, {at}",
        "we want {a_color} {object} with the text {new_quoted} {at}",
        "please add {a_object} {at}, leave everything else",
        "{object} {at}",
    ),
    "object_remove": (
        "remove the {object} {at}",
        "delete the {color} {object}",
        "take away the {object} that says {quoted}",
        "erase the {object} {at}, keep the {other_object} as it is",
        "please get rid of the {object} and fill in what is behind it",
        "no {object}",
    ),
    "object_replace": (
        "replace the {object} {at} with {a_new_color} {new_object}",
        "swap the {object} for {a_new_object} that says {new_quoted}",
        "change the {object} {at} into {a_new_object}",
        "instead of the {object} we want {a_new_color} {new_object}",
        "turn the {object} into {a_new_color} {new_object} saying {new_quoted}",
        "{object} -> {new_color} {new_object}",
    ),
    "light_add": (
        "add {new_light} to the picture",
        "give the photo {new_light}",
        "change the lighting from {light} to {new_light}",
        "we would like {new_light}, content stays the same",
        "lighting: {new_light}",
    ),
    "light_remove": (
        "remove the {light}",
        "get rid of the {light}, make the lighting even",
        "change the {light} to {new_light}",
        "even out the lighting, no {light}",
        "lighting: {new_light}",
    ),
    "light_turn": (
        "make the light come from the other side",
        "change the {light} to {new_light}",
        "light the {object} with {new_light}",
        "relight the {color} {object}: {new_light} instead of {light}",
        "lighting: {new_light}",
    ),
    "shadow_add": (
        "add a {new_light} below the {object}",
        "the {color} {object} needs a {new_light} on the ground",
        "give the {object} a natural shadow",
        "let the {object} throw a shadow, keep everything else",
        "add a product shadow",
    ),
    "shadow_remove": (
        "remove the shadow below the {object}",
        "erase the {light} of the {color} {object}",
        "take away the shadow, keep the {object}",
        "we want the {object} without shadow",
        "no product shadow",
    ),
    "outpaint": (
        "extend the picture {toward}",
        "fill the grey area and continue the picture {toward}",
        "outpaint the canvas {toward}",
        "make the picture larger {toward}, continue the {new_background}",
        "expand the image {toward}, what is there stays",
        "extend {toward}",
    ),
    "swap": (
        "swap the {object} and the {other_object}",
        "let the {object} and the {other_object} change places",
        "new layout: {new_layout}",
        "move the {object} {to} and the {other_object} to its place",
        "exchange the positions of {object} and {other_object}, keep the rest",
        "{object} <-> {other_object}",
    ),
    "repair": (
        "repair the picture: remove the {defect}",
        "remove the {defect}",
        "clean the picture of {defect} and restore what is below",
        "retouch the {defect}, nothing else",
        "please restore this picture, there are {defect} on it",
        "fix {defect}",
    ),
    "move": (
        "move the {object} {to}",
        "move the {object} from where it is, {at}, {to}",
        "the {color} {object} should be {new_at}",
        "put the {object} {new_at} instead of {at}",
        "shift the {object} {to}, everything else stays in place",
        "{object} {to}",
    ),
    "shift": (
        "move the {object} {toward}",
        "shift the {color} {object} {toward}, with its shadow",
        "the {object} should stand {new_at}",
        "place the {object} {new_at} instead of {at}",
        "move the product {to}",
        "{object} {toward}",
    ),
    "identity": (
        "keep the picture as it is",
        "leave everything unchanged",
        "do not change anything",
        "no edit, please",
        "the {object} and all texts stay the same",
    ),
}
"""Phrasings by wording."""
