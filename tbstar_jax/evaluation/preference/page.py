"""Writes the page on which raters compare edits blind.

The folder holds `index.html` and `images/`, and works from a disk or any static host. A
content security policy allows the page's own script, style and pictures and nothing
else. Pictures are decoded and written anew, lossless, so that neither name, metadata
nor encoder tells who made them. Sides and order are drawn in the page, from the rater's
name.
"""

import base64
import dataclasses
import hashlib
import html
import json
import random
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from PIL import Image

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.preference.study import (
    ItemKind,
    Key,
    KeyAnswer,
    KeyItem,
    Pair,
    write_key,
)
from tbstar_jax.inference.image_file import open_image

PAGE = "index.html"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PageConfig:
    """What the page looks like.

    Attributes:
      title: shown to raters.
      max_side: pictures are made smaller until no side has more pixels.
      identical_checks: comparisons of an answer with itself.
      reference_checks: comparisons of the right edit with the unchanged photo.
    """

    title: str = "A / B"
    max_side: int = 1024
    identical_checks: int = 0
    reference_checks: int = 0

    def __post_init__(self) -> None:
        if self.max_side < 16:
            raise ValueError(f"max_side is {self.max_side}, below 16 pixels")
        if min(self.identical_checks, self.reference_checks) < 0:
            raise ValueError("a number of checks is below 0")


def build_page(
    pairs: Sequence[Pair], folder: Path, key_path: Path, seed: int, config: PageConfig
) -> Key:
    """Writes the page and its key.

    Args:
      pairs: what to compare; each pair of systems once per prompt.
      folder: what is published; absent or empty.
      key_path: where the key goes: not inside of the folder.
      seed: of ids, checks and of what the page draws. Whoever knows it and the names of
        the systems can compute the ids, so it is part of the secret.
      config: looks and checks.

    Returns:
      The key as written.

    Raises:
      UserError: nothing to compare, a folder in use, a key that would be published, a
        pair given twice, a picture that cannot be opened, or more checks than prompts.
    """
    _require_places(folder, key_path)
    _require_pairs(pairs)
    writer = _Writer(folder, seed, config)
    systems: dict[str, None] = {}
    for pair in pairs:
        systems.update(dict.fromkeys((pair.first.system, pair.second.system)))
    ranks = {system: rank for rank, system in enumerate(systems)}
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        answers = sorted((pair.first, pair.second), key=lambda one: ranks[one.system])
        writer.add("pair", pair, [(one.system, one.image) for one in answers])
    writer.add_checks(pairs)
    study = writer.study()
    key = Key(
        format="tbstar-preference-key",
        version=1,
        study=study,
        seed=seed,
        systems=tuple(systems),
        items=tuple(writer.items),
    )
    key_path.parent.mkdir(parents=True, exist_ok=True)
    write_key(key_path, key)
    (folder / PAGE).write_text(
        _page_html(writer.shown, study, _opaque(seed, "order"), config.title),
        encoding="utf-8",
    )
    return key


class _Writer:
    """Pictures go to disk, items into what the page and the key say."""

    def __init__(self, folder: Path, seed: int, config: PageConfig) -> None:
        self.items: list[KeyItem] = []
        self.shown: list[dict[str, Any]] = []
        self._folder = folder
        self._seed = seed
        self._config = config
        self._written: dict[str, Path] = {}

    def add(
        self, kind: ItemKind, pair: Pair, answers: Sequence[tuple[str, Path]]
    ) -> None:
        """Adds a comparison of two (system, picture)."""
        names = [system for system, _ in answers]
        item = _opaque(self._seed, kind, pair.prompt, *names)
        # Checks get ids of their own: an id seen twice would show what they are.
        scope = pair.prompt if kind == "pair" else item
        ids = [
            _opaque(
                self._seed, "answer", scope, system, number if kind != "pair" else 0
            )
            for number, system in enumerate(names)
        ]
        for name, (_, path) in zip(ids, answers, strict=True):
            self._write(name, path)
        source = _opaque(self._seed, "source", scope)
        self._write(source, pair.source)
        # In the page, too, the order of the two says nothing.
        shown: dict[str, Any] = {
            "id": item,
            "instruction": pair.instruction,
            "language": pair.language,
            "source": _file(source),
            "answers": [{"id": name, "file": _file(name)} for name in sorted(ids)],
        }
        if pair.object_photo is not None:
            extra = _opaque(self._seed, "object", scope)
            self._write(extra, pair.object_photo)
            shown["object"] = _file(extra)
        self.shown.append(shown)
        first, second = (
            KeyAnswer(id=name, system=system)
            for name, system in zip(ids, names, strict=True)
        )
        self.items.append(
            KeyItem(
                id=item,
                kind=kind,
                prompt=pair.prompt,
                case=pair.case,
                task=pair.task,
                language=pair.language,
                first=first,
                second=second,
            )
        )

    def add_checks(self, pairs: Sequence[Pair]) -> None:
        """Draws prompts for the checks; at most one check of a kind per prompt."""
        drawn = random.Random(f"checks {self._seed}")
        by_prompt = {pair.prompt: pair for pair in pairs}
        every = [by_prompt[prompt] for prompt in sorted(by_prompt)]
        with_reference = [pair for pair in every if pair.reference is not None]
        wanted = self._config.identical_checks
        for pair in drawn.sample(every, _at_most(wanted, every, "identical")):
            answer = drawn.choice((pair.first, pair.second))
            self.add("identical", pair, [(answer.system, answer.image)] * 2)
        wanted = self._config.reference_checks
        number = _at_most(wanted, with_reference, "reference")
        for pair in drawn.sample(with_reference, number):
            assert pair.reference is not None
            shown = [("reference", pair.reference), ("unchanged", pair.source)]
            self.add("reference", pair, shown)

    def study(self) -> str:
        """An id of everything that raters see."""
        digest = hashlib.sha256()
        for name in sorted(self._written):
            digest.update((self._folder / _file(name)).read_bytes())
        shown = sorted(self.shown, key=lambda item: item["id"])
        digest.update(json.dumps(shown).encode())
        return digest.hexdigest()[:12]

    def _write(self, name: str, path: Path) -> None:
        known = self._written.setdefault(name, path)
        if known != path:
            raise UserError(
                f"{known} and {path} are given for the same photo or the same answer: "
                "give one picture for each"
            )
        target = self._folder / _file(name)
        if target.exists():
            return
        image = Image.fromarray(open_image(path, convert=True).srgb)
        side = self._config.max_side
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        image.save(target, "WEBP", lossless=True, quality=0, method=0)


def _at_most(wanted: int, pairs: Sequence[Pair], kind: str) -> int:
    if wanted > len(pairs):
        raise UserError(
            f"{wanted} {kind} checks were asked for and {len(pairs)} prompts can have "
            "one: ask for fewer"
        )
    return wanted


def _require_places(folder: Path, key_path: Path) -> None:
    if key_path.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"the key {key_path} would be published with the folder {folder}: "
            "put it elsewhere"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: name a new folder for the page")
    if key_path.exists():
        raise UserError(f"{key_path} exists and may unlock other votes: name a new key")


def _require_pairs(pairs: Sequence[Pair]) -> None:
    if not pairs:
        raise UserError("there is no pair to compare: give two systems' answers")
    seen = set()
    for pair in pairs:
        names = sorted((pair.first.system, pair.second.system))
        if (pair.prompt, *names) in seen:
            raise UserError(
                f"prompt {pair.prompt} compares {names[0]} and {names[1]} twice: "
                "give each pair once"
            )
        seen.add((pair.prompt, *names))


def _opaque(seed: int, *parts: str | int) -> str:
    """48 bits that say nothing without the seed."""
    text = json.dumps([seed, *parts])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _file(name: str) -> str:
    return f"images/{name}.webp"


def _page_html(shown: list[dict[str, Any]], study: str, seed: str, title: str) -> str:
    web = resources.files("tbstar_jax.evaluation.preference") / "web"
    page, style, script = (
        (web / name).read_text(encoding="utf-8")
        for name in ("page.html", "page.css", "page.js")
    )
    items = sorted(shown, key=lambda item: item["id"])
    content = {"study": study, "seed": seed, "items": items}
    policy = (
        "default-src 'none'; img-src 'self' file:; "
        f"style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    values = {
        "policy": policy,
        "title": html.escape(title),
        "style": style,
        "script": script,
        # Inside a script element only "<" can end or change anything.
        "study": json.dumps(content).replace("<", "\\u003c"),
    }
    # One pass: what is filled in is not searched for marks.
    return re.sub(r"\[\[(\w+)\]\]", lambda mark: values[mark.group(1)], page)


def _digest(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
