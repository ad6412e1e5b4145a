"""How a request is put in English: phrasings by task id and manner.

Slots are those of `slots.py`. A phrase is used only when the facts fill all its slots,
so every phrase names what it needs and never stands for another edit.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

Style: TypeAlias = Literal["request", "note", "label", "polite"]
"""A full request, a merchant's short note, a terse label, a polite or spoken wish."""

Grammar: TypeAlias = Mapping[str, Mapping[Style, tuple[str, ...]]]
"""Phrases with `{slots}` by task id and style."""

ENGLISH: Grammar = {
    "bg_white": {
        "request": (
            "change the background to pure white",
            "replace the {background} with a plain white background",
            "put the {thing} on a pure white background",
        ),
        "note": (
            "white background for this {object}, keep the rest",
            "main image: {thing} on white",
        ),
        "label": ("white background", "{object} on white"),
        "polite": (
            "could you please make the background pure white?",
            "I'd like the {object} on a clean white background, please",
        ),
    },
    "bg_scene": {
        "request": (
            "change the background to {a_new_background}",
            "replace the {background} with {a_new_background}",
            "show the {thing} against {a_new_background}",
        ),
        "note": (
            "new background for this {object}: {new_background}",
            "the listing needs {a_new_background} behind the {object}",
            "swap the background for {a_new_background}",
        ),
        "label": ("background: {new_background}", "{background} -> {new_background}"),
        "polite": (
            "could you put {a_new_background} behind the {object}, please?",
            "please give this photo {a_new_background}",
        ),
    },
    "recolor": {
        "request": (
            "make the {thing} {new_color}",
            "change the {object} from {color} to {new_color}",
            "recolor the {thing} to {new_color}",
        ),
        "note": (
            "we also sell this {object} in {new_color}, show it",
            "same photo, but the {object} in {new_color}",
        ),
        "label": ("{thing} -> {new_color}", "{object} in {new_color}"),
        "polite": (
            "could you show me the {object} in {new_color}, please?",
            "I'd love to see this {object} in {new_color}",
        ),
    },
    "material": {
        "request": (
            "change the material of the {thing} to {new_material}",
            "make the {object} look like {new_material}",
            "turn the {material} {object} into {new_material}",
        ),
        "note": (
            "we also have the {object} in {new_material}",
            "the {object} should be {new_material}, not {material}",
        ),
        "label": (
            "{object}: {material} -> {new_material}",
            "{object} in {new_material}",
        ),
        "polite": (
            "could you make the {object} out of {new_material}, please?",
            "I'd like to see the {object} in {new_material}",
        ),
    },
    "watermark_remove": {
        "request": (
            "remove the watermark",
            "remove the watermark {text} from the photo",
            "erase the watermark over the {thing}",
        ),
        "note": (
            "clean off the watermark, keep the {object} as it is",
            "photo without the {text} watermark for the shop",
        ),
        "label": ("no watermark", "remove watermark {text}"),
        "polite": (
            "could you get rid of the watermark, please?",
            "please take the {text} watermark off this picture",
        ),
    },
    "text_remove": {
        "request": (
            "remove the text {text}",
            "erase the {kind} {text} from the {thing}",
            "delete the {kind} {where}",
        ),
        "note": (
            "no {text} on the {object}, keep the rest",
            "take {text} off, the offer is over",
        ),
        "label": ("without {text}", "remove {kind} {text}"),
        "polite": (
            "could you take the text {text} off, please?",
            "please clear {text} from this {object}",
        ),
    },
    "text_replace_en": {
        "request": (
            "change the text {text} to {new_text}",
            "replace {text} with {new_text} on the {object}",
            "update the {kind}: {new_text} instead of {text}",
        ),
        "note": (
            "the {thing} should say {new_text}, not {text}",
            "new {kind} text: {new_text} instead of {text}",
        ),
        "label": ("{text} -> {new_text}", "{kind} {text} -> {new_text}"),
        "polite": (
            "could you make {text} read {new_text}, please?",
            "please swap {text} for {new_text}",
        ),
    },
    "text_add": {
        "request": (
            "add the text {new_text}",
            "add the {kind} {new_text} to the photo",
            "write {new_text} on the {object}",
            "put {a_kind} saying {new_text} {where}",
        ),
        "note": (
            "needs {new_text} {where}",
            "add {a_kind} with {new_text} for the shop",
            "the picture still needs the {kind} {new_text}",
        ),
        "label": ("+ {new_text}", "{kind}: {new_text}"),
        "polite": (
            "could you add the words {new_text}, please?",
            "please write {new_text} {where}",
            "could you put the {kind} {new_text} in, please?",
        ),
    },
    "object_add": {
        "request": (
            "add {a_thing} next to the {other}",
            "put {a_thing} {where}",
            "place {a_thing} in the picture",
            "there should be {new_count} x {object} instead of {count}",
        ),
        "note": (
            "{other} with {a_thing} beside it",
            "add {a_thing} for the scene, keep the rest",
            "more {object}: {new_count}, not {count}",
        ),
        "label": ("+ {thing}", "with {a_thing}", "{object} x {new_count}"),
        "polite": (
            "could you add {a_thing}, please?",
            "I'd like {a_thing} {where}, please",
        ),
    },
    "object_remove": {
        "request": (
            "remove the {thing}",
            "take away the {thing} next to the {other}",
            "erase the {thing} {where}",
            "leave {new_count} x {object} of the {count}",
        ),
        "note": (
            "only the {other}, no {object}",
            "delete the {thing}, keep the rest",
            "fewer {object}: {new_count}, not {count}",
        ),
        "label": ("without the {thing}", "no {thing}", "{object} x {new_count}"),
        "polite": (
            "could you take the {thing} out, please?",
            "please get rid of the {thing}",
        ),
    },
    "object_replace": {
        "request": (
            "replace the {thing} with {a_new_thing}",
            "swap the {thing} for {a_new_thing}",
            "put {a_new_thing} where the {thing} is",
        ),
        "note": (
            "{a_new_thing} instead of the {object}",
            "use {a_new_thing}, not the {thing}",
        ),
        "label": ("{thing} -> {new_thing}", "{new_thing} for {object}"),
        "polite": (
            "could you turn the {thing} into {a_new_thing}, please?",
            "I'd rather have {a_new_thing} than the {thing}",
        ),
    },
    "light_shadow": {
        "request": (
            "change the light from {light} to {new_light}",
            "relight the {thing} with {new_light}",
            "give the photo {new_light}",
            "show the {thing} with {new_shadow}",
            "change {shadow} to {new_shadow}",
        ),
        "note": (
            "same {object}, but with {new_light}",
            "the photo needs {new_light}",
            "the {object} should have {new_shadow}",
        ),
        "label": (
            "light: {new_light}",
            "{light} -> {new_light}",
            "{new_light}",
            "{shadow} -> {new_shadow}",
            "{object}: {new_shadow}",
        ),
        "polite": (
            "could you show it with {new_light}, please?",
            "I'd like {new_light} on this {object}",
            "could you show the {object} with {new_shadow}, please?",
            "please give the {object} {new_shadow}",
        ),
    },
    "outpaint": {
        "request": (
            "extend the picture {way}",
            "extend the picture beyond its frame",
            "continue the {new_background} {way}",
        ),
        "note": (
            "more room around the {object}",
            "larger canvas {way} for the banner",
        ),
        "label": ("outpaint {way}", "extend the canvas"),
        "polite": (
            "could you continue the picture {way}, please?",
            "please give the {object} more space",
        ),
    },
    "layout": {
        "request": (
            "arrange the {object} in {new_shape}",
            "change the arrangement from {shape} to {new_shape}",
            "change the layout: {new_layout}",
            "show {new_count} x {object} instead of {count}",
            "make the {thing} {size}",
        ),
        "note": (
            "new layout for the picture: {new_layout}",
            "rearrange, keep the rest: {new_layout}",
            "we need {new_count} x {object}, not {count}",
            "the {object} should be {size} in the frame",
        ),
        "label": (
            "layout: {new_layout}",
            "{object}: {new_shape}",
            "{object} x {new_count}",
            "{object} {size}",
        ),
        "polite": (
            "could you lay the {object} out in {new_shape}, please?",
            "please rearrange it like this: {new_layout}",
            "please show {new_count} x {object}",
            "could you make the {object} a little {size}, please?",
        ),
    },
    "repair_zoom": {
        "request": (
            "repair the {defect}",
            "remove the {defect} from the {thing}",
            "zoom in until the {object} is {larger}",
            "show the {thing} {larger}, in full detail",
        ),
        "note": (
            "fix the {defect}, keep the {object} as it is",
            "detail shot: {object}, {larger}",
        ),
        "label": ("no {defect}", "{defect} repair", "{object}, {larger}"),
        "polite": (
            "could you fix the {defect}, please?",
            "please get rid of the {defect} on this {object}",
            "could you bring the {object} closer and {larger}, please?",
        ),
    },
    "move": {
        "request": (
            "move the {thing} {way}",
            "shift the {thing} {way} a little",
            "move the {thing} from its place {where} to a place {new_where}",
        ),
        "note": (
            "{object} further {way}, keep the rest",
            "the {object} should stand {new_where}",
        ),
        "label": ("{object} {way}", "{object} {new_where}"),
        "polite": (
            "could you push the {thing} {way}, please?",
            "please place the {thing} {new_where}",
        ),
    },
    "identity": {
        "request": (
            "keep the photo as it is",
            "leave everything unchanged",
            "make the {thing} {color}",
        ),
        "note": ("do not change anything", "the {object} stays {color}"),
        "label": ("no change", "{object}: {color}, as it is"),
        "polite": (
            "please leave this picture just as it is",
            "it's fine already, please change nothing",
        ),
    },
}
"""English phrasings; `text_replace_zh` uses those of `text_replace_en`."""
