"""Text towers in ONNX files: from a caption to an embedding, as CLIP's has it.

The tokenizer is a `tokenizer.json` of the library `tokenizers`: data, no code. Of CLIP,
`transformers` has both: `CLIPTextModelWithProjection`, `tokenizer.save_pretrained`.
"""

import contextlib
import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int64
from tokenizers import Tokenizer

from tbstar_jax.errors import UserError
from tbstar_jax.metrics.onnx_file import (
    INTEGERS,
    NoAnswerError,
    OnnxFile,
    Session,
    fits,
    sha256_of,
)

MAX_TOKENIZER_BYTES = 64 << 20
"""Largest `tokenizer.json` that is read; CLIP's has 2 MB, Gemma's 34."""

CLIP_CONTEXT = 77
"""Tokens that CLIP takes: the limit where no file states one."""

_MIN_CONTEXT, _MAX_CONTEXT = 2, 4096
_VERSION = 1
_MASK = "attention_mask"
_TRIED = "a photo"

EmbedText: TypeAlias = Callable[[str], Float[np.ndarray, " d"]]
"""From a text to a vector of length 1.

Raises `NoAnswerError` where the text has more tokens than the model takes, or
`UserError` where the model itself cannot be run so.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnnxTextModel:
    """A model `token ids [1 n] -> [1 d]`, perhaps with an `attention_mask [1 n]`.

    The number of tokens is the one the file states, else the truncation of the
    tokenizer, else CLIP's 77. Where the file states it, texts are filled up, with the
    padding of the tokenizer, else with 0: CLIP does not look behind a text's end.

    Attributes:
      file: gives the embedding.
      tokenizer: the `tokenizer.json`.
      tokenizer_sha256: what its bytes must be, in hexadecimal; None: whatever lies
        there.
    """

    file: OnnxFile
    tokenizer: Path
    tokenizer_sha256: str | None = None

    def __post_init__(self) -> None:
        wanted = self.tokenizer_sha256
        if wanted is not None and not re.fullmatch("[0-9a-fA-F]{64}", wanted):
            raise UserError(
                f"tokenizer_sha256 of {self.tokenizer} is {wanted!r}; it must have 64 "
                "hexadecimal digits"
            )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of both files' bytes and of the settings.

        Raises:
          UserError: one is missing, too large or not the one that was named.
        """
        entry = f"text {_VERSION} {self.file.fingerprint} {self.tokenizer_digest}"
        return hashlib.sha256(entry.encode()).hexdigest()

    @property
    def tokenizer_digest(self) -> str:
        """SHA-256 of the tokenizer's bytes.

        Raises:
          UserError: as `fingerprint`.
        """
        _check_size(self.tokenizer)
        return self._checked(sha256_of(self.tokenizer))

    @contextlib.contextmanager
    def open(self) -> Iterator[EmbedText]:
        """Loads both files and embeds a text.

        Raises:
          UserError: no `onnxruntime`, a file is missing or of another kind, or inputs
            or outputs are others.
        """
        session = Session(self.file)
        names = [one.name for one in session.inputs]
        stated = _stated_context(session)
        tokenizer = self._tokenizer()
        limit = stated or (tokenizer.truncation or {}).get("max_length", CLIP_CONTEXT)
        if not _MIN_CONTEXT <= limit <= _MAX_CONTEXT:
            raise UserError(
                f"{self.tokenizer} cuts texts to {limit} tokens; it must be from "
                f"{_MIN_CONTEXT} to {_MAX_CONTEXT}"
            )
        padding = (tokenizer.padding or {}).get("pad_id", 0)
        # What does not fit is told, not cut: half a caption says something else.
        tokenizer.no_truncation()
        tokenizer.no_padding()

        def embed(text: str) -> Float[np.ndarray, " d"]:
            ids = self._ids(tokenizer, text)
            if not 0 < len(ids) <= limit:
                raise NoAnswerError(
                    f"{text[:60]!r} has {len(ids)} tokens, but {self.file.path} takes "
                    f"1 to {limit}"
                )
            length = stated or len(ids)
            filled = np.full((1, length), padding, np.int64)
            filled[0, : len(ids)] = ids
            mask = (np.arange(length) < len(ids)).astype(np.int64)[None]
            feed = [mask if name == _MASK else filled for name in names]
            return _unit(self.file, session, feed)

        with contextlib.suppress(NoAnswerError):
            embed(_TRIED)
        yield embed

    def _tokenizer(self) -> Tokenizer:
        """What is hashed is what is read: the bytes are read once."""
        _check_size(self.tokenizer)
        content = self.tokenizer.read_bytes()
        self._checked(hashlib.sha256(content).hexdigest())
        try:
            return Tokenizer.from_str(content.decode())
        # The errors of tokenizers have no base class of their own.
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"{self.tokenizer} is no tokenizer.json that tokenizers can read: "
                f"{reason}"
            ) from error

    def _ids(self, tokenizer: Tokenizer, text: str) -> list[int]:
        try:
            ids: list[int] = tokenizer.encode(text).ids
        # E.g. a vocabulary without a token for words that it lacks.
        except Exception as error:
            raise UserError(
                f"{self.tokenizer} cannot split {text[:60]!r}: "
                f"{' '.join(str(error).split())[:200]}"
            ) from error
        return ids

    def _checked(self, digest: str) -> str:
        wanted = self.tokenizer_sha256
        if wanted is not None and wanted.lower() != digest:
            raise UserError(
                f"the SHA-256 of {self.tokenizer} is {digest}, but the settings ask "
                f"for {wanted}; it is another file, or changed on its way"
            )
        return digest


def _unit(
    file: OnnxFile, session: Session, feed: list[Int64[np.ndarray, "1 n"]]
) -> Float[np.ndarray, " d"]:
    answer = session.run(*feed)
    if answer.ndim != 2 or answer.shape[0] != 1 or answer.shape[1] < 2:
        raise UserError(
            f"{file.path} gives shape {answer.shape} for a text, but an embedding is "
            "[1, numbers]; name another with `output`"
        )
    vector = answer[0].astype(np.float64)
    length = float(np.linalg.norm(vector))
    if length == 0:
        raise NoAnswerError(f"{file.path} gives a vector of zeros for this text")
    return vector / length


def _stated_context(session: Session) -> int | None:
    """The number of tokens that the inputs state; None: any. Checks them."""
    told = " and ".join(
        f"{one.name}, {one.type} {list(one.shape)}" for one in session.inputs
    )
    names = [one.name for one in session.inputs]
    is_text = len(names) - names.count(_MASK) == 1
    if not is_text or not all(
        one.type in INTEGERS and len(one.shape) == 2 and fits(one.shape[0], 1)
        for one in session.inputs
    ):
        raise UserError(
            f"the inputs of {session.path} are {told}; they must be token ids of "
            f"integers [1, tokens], alone or with {_MASK}; of a joint model export the "
            "part for texts alone"
        )
    stated = {one.shape[1] for one in session.inputs if isinstance(one.shape[1], int)}
    if len(stated) > 1 or not all(
        _MIN_CONTEXT <= one <= _MAX_CONTEXT for one in stated
    ):
        raise UserError(
            f"the inputs of {session.path} are {told}; they must take one number of "
            f"tokens, from {_MIN_CONTEXT} to {_MAX_CONTEXT}"
        )
    return stated.pop() if stated else None


def _check_size(tokenizer: Path) -> None:
    if not tokenizer.is_file():
        raise UserError(f"there is no tokenizer {tokenizer}")
    size = tokenizer.stat().st_size
    if size > MAX_TOKENIZER_BYTES:
        raise UserError(
            f"{tokenizer} has {size} bytes; a tokenizer.json of at most "
            f"{MAX_TOKENIZER_BYTES} is read"
        )
