"""How far an edit keeps the source, and what that needs."""

from typing import Literal, TypeAlias, get_args

from tbstar_jax.errors import UserError

Preserve: TypeAlias = Literal["off", "latent", "pixel", "estimated"]
"""See `pipeline.py`."""


def choose_preserve(
    preserve: str | None, *, has_gate: bool, has_mask: bool
) -> Preserve:
    """Checks the choice, or makes it: `pixel` if something says what to keep.

    It is checked here and not by type alone: it comes from users.

    Args:
      preserve: what was asked for; None for the default.
      has_gate: the checkpoint has a keep gate.
      has_mask: a mask says what may change.

    Raises:
      UserError: there is no such choice, a mask would have no effect, or nothing says
        what to keep.
    """
    how: Preserve
    match preserve:
        case None:
            how = "pixel" if has_gate or has_mask else "off"
        case "off" | "latent" | "pixel" | "estimated":
            how = preserve
        case _:
            raise UserError(
                f"preserve must be one of {', '.join(get_args(Preserve))}, "
                f"not {preserve}"
            )
    if how == "off" and has_mask:
        raise UserError(
            "preserve=off edits every pixel, so a mask (or a larger canvas, which "
            "comes with one) has no effect; leave one of the two out"
        )
    if how == "estimated" and has_mask:
        raise UserError(
            "preserve=estimated finds the edit mask itself, so a mask (or a larger "
            "canvas, which comes with one) has no effect; leave one of the two out"
        )
    if how in ("latent", "pixel") and not has_gate and not has_mask:
        raise UserError(
            f"preserve={how} needs to know what to keep: this checkpoint has "
            "no keep gate (stage 2), so give a mask, or use preserve=estimated "
            "or off"
        )
    return how
