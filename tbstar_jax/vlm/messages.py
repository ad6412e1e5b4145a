"""What is said to a vision-language model: text and encoded images, in order."""

import base64
import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from tbstar_jax.errors import UserError

_MEDIA_TYPES = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"WEBP", 8, "image/webp"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImagePart:
    """An image as it is sent.

    Attributes:
      data: a PNG, JPEG or WebP file.
    """

    data: bytes

    @property
    def media_type(self) -> str:
        """E.g. `image/png`, from the file's first bytes.

        Raises:
          UserError: it is none of the three.
        """
        for magic, offset, name in _MEDIA_TYPES:
            if self.data[offset : offset + len(magic)] == magic:
                return name
        raise UserError(
            f"an image of {len(self.data)} bytes for the vision-language model is no "
            "PNG, JPEG or WebP file"
        )

    @property
    def sha256(self) -> str:
        """Names the content."""
        return hashlib.sha256(self.data).hexdigest()


Part: TypeAlias = str | ImagePart


@dataclasses.dataclass(frozen=True, kw_only=True)
class Message:
    """One message of a chat.

    Attributes:
      role: who speaks.
      parts: texts and images, in the order they are read.
    """

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]

    def to_wire(self) -> dict[str, Any]:
        """As the chat-completions protocol sends it, images as data URLs."""
        return self._written(
            lambda image: {
                "url": f"data:{image.media_type};base64,"
                + base64.b64encode(image.data).decode()
            }
        )

    def to_key(self) -> dict[str, Any]:
        """As the cache stores it: images by their SHA-256."""
        return self._written(lambda image: {"sha256": image.sha256})

    def _written(
        self, of_image: Callable[[ImagePart], dict[str, str]]
    ) -> dict[str, Any]:
        if all(isinstance(part, str) for part in self.parts):
            # Servers without images accept only this form.
            return {"role": self.role, "content": "\n\n".join(map(str, self.parts))}
        content: list[dict[str, Any]] = []
        for part in self.parts:
            if isinstance(part, str):
                content.append({"type": "text", "text": part})
            else:
                content.append({"type": "image_url", "image_url": of_image(part)})
        return {"role": self.role, "content": content}
