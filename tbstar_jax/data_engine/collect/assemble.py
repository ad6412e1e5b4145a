"""One row of a source as records: a photo, a pair, or the turns of a chain."""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tbstar_jax.data_engine.collect.field_map import FieldMap, lookup
from tbstar_jax.data_engine.collect.image_bytes import FitImage, fit_image
from tbstar_jax.data_engine.collect.masks import change_mask, mask_from_rle
from tbstar_jax.data_engine.collect.rows import Files, Row, printable
from tbstar_jax.data_engine.collect.source import SourceSpec
from tbstar_jax.data_engine.language import language_of
from tbstar_jax.data_engine.stage import Made, Reject
from tbstar_jax.data_engine.store.codecs import REJECTED_FOR_CODEC
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import image_size
from tbstar_jax.input_pipeline.records import EditRecord
from tbstar_jax.tasks import TASK_IDS

MAX_OBJECT = 65_536
"""Longest object that is noted about a photo, in characters of JSON."""

MAX_TEXT = 8192
"""Longest request that is accepted, in characters."""

_SCORE_NAME = re.compile(r"[^\w./-]", re.ASCII)

MAX_IMAGES = 16
"""Most source images of one pair."""


def content_key(
    sources: Sequence[bytes], target: bytes, instructions: Sequence[str]
) -> str:
    """Names the content of a photo or pair.

    Args:
      sources: encoded source images.
      target: encoded target image; empty for a photo.
      instructions: all requests, in order.

    Returns:
      The first 32 digits of a SHA-256.
    """
    digest = hashlib.sha256(f"{len(sources)} sources\n".encode())
    for data in (*sources, target, *(text.encode() for text in instructions)):
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:32]


def assemble(
    row: Row, files: Files, spec: SourceSpec, keep_alpha: bool
) -> Iterator[Made]:
    """Turns a row into records.

    Args:
      row: the row.
      files: the files it names.
      spec: the source it is from.
      keep_alpha: see `fit_image`.

    Yields:
      One record, or one per turn; for what cannot become a record, a `Reject`.
    """
    turns = lookup(row.values, spec.fields.turns)
    if not turns:
        yield _attempt(row, files, spec, keep_alpha, {})
        return
    chain: dict[str, Any] = {}
    for position, turn in enumerate(turns):
        place = f"{row.place} turn {position}"
        if not isinstance(turn, Mapping):
            yield Reject(row=place, reason="the turn is not a mapping of named fields")
            continue
        one = Row(place=place, values={**row.values, **turn})
        made = _attempt(one, files, spec, keep_alpha, {**chain, "turn": position})
        if isinstance(made, EditRecord) and not chain:
            # All turns of a row belong to one side of a split: that of the first.
            chain = {"scene": made.scene, "chain_id": made.provenance["chain_id"]}
        yield made


def _attempt(
    row: Row, files: Files, spec: SourceSpec, keep_alpha: bool, chain: Mapping[str, Any]
) -> Made:
    try:
        return _record(row, files, spec, keep_alpha, chain)
    except UserError as error:
        return Reject(row=row.place, reason=str(error))
    # A file that goes away, or a disk that fails, costs its row and not the run.
    except OSError as error:
        return Reject(row=row.place, reason=f"a file cannot be read ({error})")


def _record(
    row: Row, files: Files, spec: SourceSpec, keep_alpha: bool, chain: Mapping[str, Any]
) -> EditRecord:
    fields, values = spec.fields, row.values
    sources = [
        _image(value, name, files, keep_alpha)
        for name in fields.source
        for value in _present(values, name, fields)
    ]
    if len(sources) > MAX_IMAGES:
        raise UserError(f"{len(sources)} source images, but at most {MAX_IMAGES}")
    target = None
    if fields.target:
        (value, *_) = _present(values, fields.target, fields)
        target = _image(value, fields.target, files, keep_alpha)
    texts = _texts(values, fields.instruction, fields)
    inverse = _texts(values, fields.inverse, fields)
    if fields.target and not texts["en"] + texts["zh"]:
        named = ", ".join(fields.instruction) or "no column"
        raise UserError(f"no instruction in English or Chinese ({named})")
    source_bytes = tuple(image.data for image in sources)
    target_bytes = target.data if target else b""
    key = content_key(source_bytes, target_bytes, texts["en"] + texts["zh"])
    scene = _scene(values, spec, source_bytes or (target_bytes,))
    images = [*sources, *([target] if target else [])]
    notes: dict[str, Any] = {
        "row": row.place,
        **_notes(values, spec, images),
        **_chain(values, spec, scene, chain),
    }
    if not fields.target:
        texts, captions = {"en": [], "zh": []}, texts
        notes |= {f"captions_{k}": v for k, v in captions.items() if v}
    notes |= {f"inverse_{k}": v for k, v in inverse.items() if v}
    return EditRecord(
        key=key,
        source_images=source_bytes,
        target_image=target_bytes,
        change_mask=_mask(values, fields, files, source_bytes or (target_bytes,)),
        instructions_en=tuple(texts["en"]),
        instructions_zh=tuple(texts["zh"]),
        task=_task(values, spec),
        scene=str(chain.get("scene", scene)),
        provenance=notes,
    )


def _notes(
    values: Mapping[str, Any], spec: SourceSpec, images: Sequence[FitImage]
) -> dict[str, Any]:
    return {
        "method": "import",
        "origin": origin_of(spec),
        "licence": _licence(values, spec),
        "commercial": spec.commercial,
        "codecs": [image.codec for image in images],
        "image_notes": [list(image.notes) for image in images],
        "scores": _scores(values, spec.fields.scores),
        **_leak_note(images if spec.fields.target else []),
        **_task_note(values, spec),
        **_other_notes(values, spec.fields),
        **_known_objects(values, spec.fields),
    }


def origin_of(spec: SourceSpec) -> str:
    """What a source is called in provenance."""
    return spec.origin or spec.path.rstrip("/").rsplit("/", 1)[-1]


def _present(values: Mapping[str, Any], name: str, fields: FieldMap) -> list[Any]:
    found = lookup(values, name)
    # References beyond the first column are optional: rows have more or fewer.
    if not found and name in (*fields.source[:1], fields.target):
        has = ", ".join(sorted(map(str, values)))[:300]
        raise UserError(f"no value in column {name!r}; the row has {has}")
    return found


def _image(value: Any, column: str, files: Files, keep_alpha: bool) -> FitImage:
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, str) and value:
        data = files.read(value)
    elif isinstance(value, bytes | bytearray) and value:
        data = bytes(value)
    else:
        raise UserError(
            f"column {column!r} holds {_shown(value)} where an image is mapped"
        )
    try:
        return fit_image(data, keep_alpha)
    except UserError as error:
        raise UserError(f"column {column!r}: {error}") from error


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__} ({value!r:.60})"


def _texts(
    values: Mapping[str, Any], names: Sequence[str], fields: FieldMap
) -> dict[str, list[str]]:
    """Requests by language, each once, in order."""
    found: dict[str, list[str]] = {"en": [], "zh": []}
    for name in names:
        for value in lookup(values, name):
            if not isinstance(value, str):
                raise UserError(
                    f"column {name!r} holds {_shown(value)} where a text is mapped"
                )
            for marker in fields.drop_text:
                value = value.replace(marker, " ")
            text = " ".join(value.split())
            if len(text) > MAX_TEXT or not _is_encodable(text):
                raise UserError(
                    f"column {name!r} holds a text of {len(text)} characters that is "
                    f"longer than {MAX_TEXT} or not valid Unicode"
                )
            has_letters = any(character.isalpha() for character in text)
            language = language_of(text) if has_letters else "en"
            if text and language and text not in found[language]:
                found[language].append(text)
    return found


def _is_encodable(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" or c == "\0" for c in text)


def _first(values: Mapping[str, Any], name: str) -> str:
    """The first value as a text; empty when there is none."""
    found = lookup(values, name)
    return printable(str(found[0]).strip()[:MAX_TEXT]) if found else ""


def _scene(values: Mapping[str, Any], spec: SourceSpec, images: Sequence[bytes]) -> str:
    """Edits of one photo, and of one chain, are on one side of a split."""
    given = _first(values, spec.fields.scene) or _first(values, spec.fields.chain)
    if given:
        named = json.dumps([origin_of(spec), given]).encode()
        return "given-" + hashlib.sha256(named).hexdigest()[:24]
    return "photo-" + hashlib.sha256(images[0]).hexdigest()[:24]


def _leak_note(images: Sequence[FitImage]) -> dict[str, str]:
    """Rejects pairs of codecs that change pixels far from an edit, converted or not."""
    leaks = any(image.codec in ("webp_lossy", "avif") for image in images)
    return {"status": REJECTED_FOR_CODEC} if leaks else {}


def _licence(values: Mapping[str, Any], spec: SourceSpec) -> str:
    return _first(values, spec.fields.licence)[:200] or spec.licence


def _task(values: Mapping[str, Any], spec: SourceSpec) -> str:
    name = _first(values, spec.fields.task)
    known = {foreign.casefold(): ours for foreign, ours in spec.task_names}
    translated = known.get(name.casefold(), name)
    return translated if translated in TASK_IDS else ""


def _task_note(values: Mapping[str, Any], spec: SourceSpec) -> dict[str, str]:
    name = _first(values, spec.fields.task)
    return {"origin_task": name[:200]} if name else {}


def _other_notes(values: Mapping[str, Any], fields: FieldMap) -> dict[str, Any]:
    notes = {name: _first(values, name)[:2000] for name in fields.notes}
    kept = {name: text for name, text in notes.items() if text}
    return {"columns": kept} if kept else {}


def _known_objects(values: Mapping[str, Any], fields: FieldMap) -> dict[str, Any]:
    """What is known about a photo; whoever uses it checks what is in it."""
    found = {}
    for name in ("auxiliary", "facts"):
        column = getattr(fields, name)
        for value in lookup(values, column)[:1] if column else ():
            try:
                given = json.loads(value) if isinstance(value, str) else value
            except ValueError:
                given = None
            if not isinstance(given, dict) or len(json.dumps(given)) > MAX_OBJECT:
                raise UserError(
                    f"column {column!r} holds {_shown(value)}, but must hold an object "
                    f"of at most {MAX_OBJECT} characters as JSON"
                )
            found[name] = given
    return found


def _chain(
    values: Mapping[str, Any], spec: SourceSpec, scene: str, chain: Mapping[str, Any]
) -> dict[str, Any]:
    fields = spec.fields
    if "turn" in chain:
        name = chain.get("chain_id", scene.replace("photo-", "chain-"))
        return {"chain_id": name, "turn": chain["turn"]}
    if not _first(values, fields.chain):
        return {}
    turn = _first(values, fields.turn) or str(fields.first_turn)
    if not turn.isdecimal() or int(turn) < fields.first_turn:
        raise UserError(f"the turn is {turn[:40]!r}, but must count from 0 or 1")
    name = scene.replace("given-", "chain-")
    return {"chain_id": name, "turn": int(turn) - fields.first_turn}


def _mask(
    values: Mapping[str, Any], fields: FieldMap, files: Files, images: Sequence[bytes]
) -> bytes:
    found = lookup(values, fields.mask)
    if not found:
        return b""
    if fields.mask_kind == "rle":
        mask = mask_from_rle(found[0])
    else:
        fitted = _image(found[0], fields.mask, files, keep_alpha=True)
        mask = change_mask(fitted.data, fields.mask_kind, images[0])
    if image_size(mask) != image_size(images[0]):
        raise UserError(
            f"the mask has {image_size(mask)} rows and columns, its image "
            f"{image_size(images[0])}"
        )
    return mask


def _scores(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    """Numbers by `origin/<name>`, those in mappings and lists by longer names."""
    scores: dict[str, float] = {}
    for name in names:
        for branch in name.split("|"):
            found = lookup(values, branch)
            short = branch.rsplit(".", 1)[-1]
            for k, value in enumerate(found):
                suffix = f"/{k}" if len(found) > 1 else ""
                _collect_scores(f"origin/{short}{suffix}", value, scores, depth=0)
    return scores


def _collect_scores(
    name: str, value: Any, scores: dict[str, float], depth: int
) -> None:
    if isinstance(value, str) and len(value) < 200:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return
    if isinstance(value, Mapping | list) and depth < 4 and len(value) < 64:
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in pairs:
            _collect_scores(f"{name}/{key}", item, scores, depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) if abs(value) < 1e300 else math.nan
        if math.isfinite(number):
            scores[_SCORE_NAME.sub("_", name)[:120]] = number
