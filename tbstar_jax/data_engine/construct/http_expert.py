"""Any HTTP endpoint as an expert.

Two protocols. `openai_edits` is the image-edit request of OpenAI-compatible servers:
multipart fields `model`, `prompt`, `n`, `response_format` (`b64_json`), `seed`, `image`
(PNG; with references, `image[]` once for the photo and for each of them) and, where the
request has a mask, `mask` (PNG whose transparent pixels may change), posted to
`/images/edits`; the answer is `{"data": [{"b64_json": ...}]}`. An answer with an
address instead of an image is refused: nothing is fetched that the user did not name.

`json` is ours, posted to the base URL's `/edit`:

    {"image": base64 PNG, "mask": base64 PNG or null (255 = may change),
     "task": id, "instruction_en": text, "instruction_zh": text,
     "regions": [{"label", "top", "left", "bottom", "right"}], "parameters": {...},
     "seed": int,
     "references": [base64 PNG of each further picture], absent without any}

and answered by `{"image": base64 PNG, JPEG or WebP, "mask": the same or null}`, or by
`{"cannot_edit": "one sentence"}`.
"""

import base64
import binascii
import contextlib
import dataclasses
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from tbstar_jax.array_types import UInt8
from tbstar_jax.data_engine.construct.one_scale import scaled_to
from tbstar_jax.data_engine.construct.protocol import (
    CannotEdit,
    Edit,
    EditedPhoto,
    EditRequest,
)
from tbstar_jax.data_engine.facts import Language
from tbstar_jax.data_engine.stage import fingerprint_of
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image, decode_mask, encode_png
from tbstar_jax.vlm.cache import ReplyCache
from tbstar_jax.vlm.reply import one_line
from tbstar_jax.vlm.server import Server, ServerConfig
from tbstar_jax.vlm.strict_json import NotJsonError, read_json

_VERSION = 1
_FINAL = (200, 400, 413, 415, 422)

Ask: TypeAlias = Callable[
    [UInt8[np.ndarray, "h w 3"], EditRequest, int],
    tuple[UInt8[np.ndarray, "_ _ 3"], UInt8[np.ndarray, "_ _"] | None],
]
"""Photo, request and seed to the picture and the mask that the server answers with;
thread-safe, raises `CannotEdit`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HttpExpert:
    """Edits by asking a server.

    Attributes:
      name: of what answers, lower-case letters, digits and underscores.
      server: the endpoint; `max_reply_bytes` must hold an encoded image.
      protocol: see the module.
      model: as the server names it.
      tasks: ids of the tasks it may be asked for.
      language: of the prompt in `openai_edits`.
      on_other_size: what to do with an answer of another size: `refuse` it, or
        `resize` it where one factor for both sides gives the photo's size.
      cache: directory of the answers, so that nothing is paid twice; None keeps none.
    """

    name: str
    server: ServerConfig
    protocol: Literal["openai_edits", "json"]
    model: str
    tasks: tuple[str, ...]
    language: Language = "en"
    on_other_size: Literal["refuse", "resize"] = "refuse"
    cache: Path | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what decides the answers; not the address."""
        settings = {
            "protocol": self.protocol,
            "model": self.model,
            "tasks": self.tasks,
            "language": self.language,
            "on_other_size": self.on_other_size,
        }
        return fingerprint_of(self.name, _VERSION, settings)

    @contextlib.contextmanager
    def open(self) -> Iterator[Edit]:
        """Reads the server's key.

        Raises:
          UserError: its environment variable is empty.
        """
        ask = self.connect()

        def edit(
            photo: UInt8[np.ndarray, "h w 3"],
            request: EditRequest,
            rng: np.random.Generator,
        ) -> EditedPhoto:
            image, mask = ask(photo, request, int(rng.integers(2**31)))
            return self._of_the_photos_size(photo, image, mask)

        yield edit

    def connect(self, *, must_be_up: bool = False) -> Ask:
        """Reads the server's key and returns what asks: answers of any size.

        Args:
          must_be_up: see `Server`.

        Raises:
          UserError: its environment variable is empty.
        """
        server = Server(self.server, must_be_up=must_be_up)
        cache = ReplyCache(self.cache) if self.cache else None

        def ask(
            photo: UInt8[np.ndarray, "h w 3"], request: EditRequest, seed: int
        ) -> tuple[UInt8[np.ndarray, "_ _ 3"], UInt8[np.ndarray, "_ _"] | None]:
            fields = self._fields(photo, request, seed)
            return self._decoded(self._stored_or_asked(server, cache, fields))

        return ask

    def _fields(
        self, photo: UInt8[np.ndarray, "h w 3"], request: EditRequest, seed: int
    ) -> dict[str, Any]:
        """What is sent, in the order it is sent; images as files."""
        image = encode_png(photo)
        references = [encode_png(one) for one in request.references]
        if self.protocol == "json":
            return {
                "image": image,
                "mask": None if request.mask is None else encode_png(request.mask),
                "task": request.task,
                "instruction_en": request.instruction_en,
                "instruction_zh": request.instruction_zh,
                "regions": [dataclasses.asdict(one) for one in request.regions],
                "parameters": dict(request.parameters),
                "seed": seed,
                **({"references": references} if references else {}),
            }
        is_english = self.language == "en"
        fields: dict[str, Any] = {
            "model": self.model,
            "prompt": request.instruction_en if is_english else request.instruction_zh,
            "n": "1",
            "response_format": "b64_json",
            "seed": str(seed),
            **({"image[]": [image, *references]} if references else {"image": image}),
        }
        if request.mask is not None:
            fields["mask"] = _transparent_where_edited(photo, request.mask)
        return fields

    def _stored_or_asked(
        self, server: Server, cache: ReplyCache | None, fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        question = {
            "expert": self.name,
            "protocol": self.protocol,
            "model": self.model,
            "fields": {name: _each(value, _digest) for name, value in fields.items()},
        }
        stored = cache.get(question) if cache else None
        if stored is not None:
            return stored
        answer = self._ask(server, fields)
        return cache.put(question, answer) if cache else answer

    def _ask(self, server: Server, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Asks the server: an object of JSON, or `CannotEdit`."""
        if self.protocol == "json":
            path, content_type, body = "/edit", "application/json", _as_json(fields)
        else:
            path = "/images/edits"
            content_type, body = _as_multipart(fields)
        answered = server.ask(path, body, {"Content-Type": content_type})
        if server.unreachable is not None:
            raise UserError(server.unreachable)
        reply = answered.reply
        if reply is None or reply.status not in _FINAL:
            what = str(answered.error)
            if reply is not None:
                what = f"HTTP {reply.status} for {path}"
            kind = answered.error.kind if answered.error else ""
            if kind in ("too_large", "encoded"):
                raise CannotEdit(f"{self.name}: {what}", is_garbled=True)
            # Another run may succeed: a record must not be given up for it.
            raise UserError(
                f"the expert {self.name} gave no answer after {answered.num_requests} "
                f"requests ({what}); check the server and run again"
            )
        if reply.status != 200:
            excerpt = reply.body[:300].decode("utf-8", "replace")
            raise CannotEdit(one_line(f"{self.name}: HTTP {reply.status}: {excerpt}"))
        try:
            value = read_json(reply.body)
        except NotJsonError as error:
            raise CannotEdit(
                f"{self.name} answered no JSON: {error}", is_garbled=True
            ) from error
        if not isinstance(value, dict):
            raise CannotEdit(
                f"{self.name} answered JSON that is no object", is_garbled=True
            )
        return value

    def _decoded(
        self, answer: Mapping[str, Any]
    ) -> tuple[UInt8[np.ndarray, "_ _ 3"], UInt8[np.ndarray, "_ _"] | None]:
        if "cannot_edit" in answer:
            raise CannotEdit(one_line(f"{self.name}: {answer['cannot_edit']}"))
        if self.protocol == "json":
            encoded, encoded_mask = answer.get("image"), answer.get("mask")
        else:
            encoded, encoded_mask = _first_image(answer), None
        try:
            image = decode_image(_bytes_of(encoded), f"the answer of {self.name}")
            mask = None
            if encoded_mask is not None:
                mask = decode_mask(_bytes_of(encoded_mask), f"the mask of {self.name}")
        except UserError as error:
            raise CannotEdit(str(error), is_garbled=True) from error
        return image, mask

    def _of_the_photos_size(
        self,
        photo: UInt8[np.ndarray, "h w 3"],
        image: UInt8[np.ndarray, "_ _ 3"],
        mask: UInt8[np.ndarray, "_ _"] | None,
    ) -> EditedPhoto:
        if image.shape != photo.shape:
            if self.on_other_size == "refuse":
                raise CannotEdit(
                    f"{self.name} made {image.shape[:2]} (rows, columns) of a photo of "
                    f"{photo.shape[:2]}"
                )
            image = scaled_to(image, photo.shape[0], photo.shape[1])
        if mask is not None and mask.shape != photo.shape[:2]:
            raise CannotEdit(
                f"the mask of {self.name} is {mask.shape} for a photo of "
                f"{photo.shape[:2]} (rows, columns)"
            )
        return EditedPhoto(image=image, mask=mask)


def _each(value: Any, write: Callable[[bytes], Any]) -> Any:
    """A field with its files, one or several, written otherwise."""
    if isinstance(value, list):
        return [_each(one, write) for one in value]
    return write(value) if isinstance(value, bytes) else value


def _digest(data: bytes) -> dict[str, str]:
    return {"sha256": hashlib.sha256(data).hexdigest()}


def _as_json(fields: Mapping[str, Any]) -> bytes:
    written = {
        name: _each(value, lambda data: base64.b64encode(data).decode())
        for name, value in fields.items()
    }
    return json.dumps(written, ensure_ascii=True).encode()


def _as_multipart(fields: Mapping[str, Any]) -> tuple[str, bytes]:
    """The content type and the body of a form, bytes as PNG files."""
    # 128 random bits: no file holds them by chance.
    boundary = secrets.token_hex(16)
    body = bytearray()
    parts = [
        (name, one)
        for name, value in fields.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    for name, value in parts:
        is_file = isinstance(value, bytes)
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if is_file:
            file = name.removesuffix("[]")
            head += f'; filename="{file}.png"\r\nContent-Type: image/png'
        body += head.encode() + b"\r\n\r\n"
        body += (value if is_file else value.encode()) + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", bytes(body)


def _transparent_where_edited(
    photo: UInt8[np.ndarray, "h w 3"], mask: UInt8[np.ndarray, "h w"]
) -> bytes:
    alpha = np.where(mask > 127, np.uint8(0), np.uint8(255))
    return encode_png(np.dstack([photo, alpha]))


def _first_image(answer: Mapping[str, Any]) -> Any:
    data = answer.get("data")
    first = data[0] if isinstance(data, list) and data else None
    return first.get("b64_json") if isinstance(first, dict) else None


def _bytes_of(encoded: Any) -> bytes:
    if not isinstance(encoded, str):
        raise UserError("the answer holds no base64 image")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UserError("the answer's image is no valid base64") from error
