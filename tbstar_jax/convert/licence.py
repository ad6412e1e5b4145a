"""The licence of downloaded weights, as their model card states it."""

import re
from pathlib import Path

_FIELD = re.compile(r"^license(_name)?:\s*['\"]?([^'\"\n]+?)['\"]?\s*$", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---", re.DOTALL)


def licence_notice(directory: Path) -> str | None:
    """What to know before using weights; None if they are under Apache-2.0.

    Args:
      directory: of the checkpoint; its README.md begins with the card's fields.
    """
    card = directory / "README.md"
    if not card.is_file():
        return None
    front = _FRONT_MATTER.match(card.read_text(encoding="utf-8", errors="replace"))
    fields = {m[1]: m[2] for m in _FIELD.finditer(front[1])} if front else {}
    name = fields.get("_name") or fields.get(None)
    if name is None or name.lower() == "apache-2.0":
        return None
    return (
        f"the weights in {directory} are under the licence {name}, not Apache-2.0: "
        "read its terms; what is made from them (adapters, merged weights, images) may "
        "be bound by it"
    )
