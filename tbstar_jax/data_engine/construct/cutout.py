"""Cut-out composites: a user's RGBA cut-outs on other backgrounds, pixels exactly kept.

Ours, not a method of the paper. A photo for this method is a record whose first source
image is an RGBA PNG (or lossless WebP): the product opaque, its background transparent.
It may say what the product is called under `facts` (`object_en`, `object_zh`). Source
and target of a pair share the product's pixels: it is placed on whole pixels, shrunk at
most once before both pictures, and where its alpha is 255 both show its colours bit for
bit. What an edit does not name is the same in both, so the change mask is exact.

Backgrounds are rendered (`render/backgrounds.py`) or the user's own pictures; other
cut-outs (`companions`) make `object_add`, `object_remove` and mixed layouts.
"""

import contextlib
import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tbstar_jax.data_engine.annotate import derived, is_photo
from tbstar_jax.data_engine.augment.paraphrase.slots import phrases
from tbstar_jax.data_engine.construct.cutout_edits import (
    EDITS,
    CutoutEdit,
    NamedCutout,
    Stock,
    compose_edit,
)
from tbstar_jax.data_engine.construct.cutout_image import decode_cutout
from tbstar_jax.data_engine.construct.cutout_scene import Backdrop
from tbstar_jax.data_engine.facts import Language, facts_of
from tbstar_jax.data_engine.render.backgrounds import draw_background
from tbstar_jax.data_engine.render.sampling import sample_background
from tbstar_jax.data_engine.render.scene import Size
from tbstar_jax.data_engine.stage import Made, Reject, Transform, fingerprint_of
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, encode_png
from tbstar_jax.input_pipeline.records import EditRecord

CUTOUT_TASKS: tuple[str, ...] = tuple(EDITS)
"""Ids of the tasks made here."""

_VERSION = 1
_NEED_COMPANION = ("object_add", "object_remove")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asset:
    """A picture file of the user: a further cut-out, or a background.

    Attributes:
      path: the file.
      name_en: noun (phrase) in English, e.g. `candle`, `kitchen counter`.
      name_zh: the same in Chinese.
      licence: SPDX id or the licence's name; `unknown` where nobody said.
    """

    path: str
    name_en: str
    name_zh: str
    licence: str

    def read(self) -> bytes:
        """The file's bytes.

        Raises:
          UserError: it cannot be read.
        """
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            raise UserError(f"{self.path} cannot be read ({error.strerror})") from error


@dataclasses.dataclass(frozen=True, kw_only=True)
class CutoutComposite:
    """Makes pairs of photos that carry alpha.

    Attributes:
      canvas: rows and columns of the pairs, pixels.
      tasks: ids among `CUTOUT_TASKS`, drawn with equal chances.
      pairs_per_photo: how many pairs a photo becomes.
      companions: other cut-outs.
      backdrops: the user's backgrounds, used for half of the scenes.
    """

    canvas: Size
    tasks: tuple[str, ...]
    pairs_per_photo: int
    companions: tuple[Asset, ...] = ()
    backdrops: tuple[Asset, ...] = ()

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
          UserError: a task that is not made here, or lacks a companion, or too small a
            canvas.
        """
        if min(self.canvas) < 32 or self.pairs_per_photo < 1 or not self.tasks:
            raise UserError(
                f"a canvas of {self.canvas}, {self.pairs_per_photo} pairs per photo "
                f"and {len(self.tasks)} tasks make no pairs; the least are 32 pixels "
                "per side, 1 pair and 1 task"
            )
        for task in self.tasks:
            if task not in EDITS:
                raise UserError(
                    f"cut-outs make no pairs for task {task!r}; the tasks are "
                    f"{', '.join(EDITS)}"
                )
            if task in _NEED_COMPANION and not self.companions:
                raise UserError(
                    f"task {task!r} needs a second cut-out; name one in `companions`"
                )

    @property
    def name(self) -> str:
        """`cutout`."""
        return "cutout"

    @property
    def num_threads(self) -> int:
        """One: the work is computing."""
        return 1

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the settings and of the assets' contents."""
        settings = dataclasses.asdict(self)
        for kind in ("companions", "backdrops"):
            settings[kind] = [
                {**dataclasses.asdict(asset), "path": _digest(asset.read())}
                for asset in getattr(self, kind)
            ]
        return fingerprint_of(self.name, _VERSION, settings)

    @contextlib.contextmanager
    def open(self) -> Iterator[Transform]:
        """Decodes the assets, once per process."""
        companions = [
            NamedCutout(decode_cutout(asset.read(), asset.path), *_names(asset))
            for asset in self.companions
        ]
        backdrops = [
            Backdrop(_covering(asset.read(), asset.path, self.canvas), *_names(asset))
            for asset in self.backdrops
        ]
        yield functools.partial(self._pairs, companions, backdrops)

    def _pairs(
        self,
        companions: Sequence[NamedCutout],
        backdrops: Sequence[Backdrop],
        record: EditRecord,
        rng: np.random.Generator,
    ) -> Iterator[Made]:
        if not is_photo(record) or not record.source_images:
            yield Reject(
                row=record.key,
                reason="cut-out composites are made of photos, and this is a pair",
            )
            return
        try:
            cutout = decode_cutout(record.source_images[0], "the photo")
            known = facts_of(record)
        except UserError as error:
            yield Reject(row=record.key, reason=str(error))
            return
        stock = Stock(
            product=NamedCutout(
                cutout, known.object_en or "product", known.object_zh or "商品"
            ),
            companions=companions,
            white=Backdrop(np.ones((*self.canvas, 3)), "white background", "白色背景"),
            scenes=functools.partial(_draw_scene, backdrops, self.canvas),
            size=self.canvas,
        )
        for index in range(self.pairs_per_photo):
            task = self.tasks[int(rng.integers(len(self.tasks)))]
            yield self._record(record, index, task, stock, rng)

    def _record(
        self,
        photo: EditRecord,
        index: int,
        task: str,
        stock: Stock,
        rng: np.random.Generator,
    ) -> EditRecord:
        edit = compose_edit(task, stock, rng)
        differs = np.any(edit.source != edit.target, axis=2)
        return derived(
            photo,
            key=f"{photo.key}-cutout-{index}",
            transform="construct",
            parents=[photo],
            source_images=(encode_png(edit.source),),
            target_image=encode_png(edit.target),
            change_mask=encode_png(np.where(differs, np.uint8(255), np.uint8(0))),
            instructions_en=_shuffled(rng, task, edit, "en"),
            instructions_zh=_shuffled(rng, task, edit, "zh"),
            task=task,
            provenance={
                "method": self.name,
                "licence": self._licence(photo),
                "facts": edit.facts.to_json(),
                "engine_version": _VERSION,
            },
        )

    def _licence(self, photo: EditRecord) -> str:
        """All licences that may be in a pair, as one SPDX expression."""
        own = str(photo.provenance.get("licence", "unknown"))
        others = {asset.licence for asset in (*self.companions, *self.backdrops)}
        return " AND ".join([own, *sorted(others - {own})])


def _shuffled(
    rng: np.random.Generator, task: str, edit: CutoutEdit, language: Language
) -> tuple[str, ...]:
    texts = [phrase.text for phrase in phrases(task, edit.facts, language)]
    return tuple(texts[int(k)] for k in rng.permutation(len(texts)))


def _draw_scene(
    backdrops: Sequence[Backdrop], size: Size, rng: np.random.Generator
) -> Backdrop:
    """One of the user's backgrounds or, as often, a rendered one that is not white."""
    if backdrops and rng.random() < 0.5:
        return backdrops[int(rng.integers(len(backdrops)))]
    drawn = sample_background(rng, False)
    return Backdrop(
        draw_background(drawn, size),
        drawn.setting.noun_en.format(tone=drawn.tone.name_en),
        drawn.setting.noun_zh.format(tone=drawn.tone.name_zh),
    )


def _covering(data: bytes, name: str, size: Size) -> np.ndarray:
    """A picture scaled to cover the canvas and cut to it around its middle."""
    picture = Image.fromarray(decode_image(data, name))
    scale = max(size[0] / picture.height, size[1] / picture.width)
    columns = max(size[1], round(picture.width * scale))
    rows = max(size[0], round(picture.height * scale))
    picture = picture.resize((columns, rows), Image.Resampling.LANCZOS)
    top, left = (rows - size[0]) // 2, (columns - size[1]) // 2
    cut = picture.crop((left, top, left + size[1], top + size[0]))
    return np.asarray(cut, np.float64) / 255.0


def _names(asset: Asset) -> tuple[str, str]:
    return asset.name_en, asset.name_zh


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
