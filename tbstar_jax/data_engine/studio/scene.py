"""What stands in the studio: immutable parameters, no pixels.

Two renders of two scenes that differ in some fields are an editing pair. Everything
random is drawn into these fields beforehand, rounded so that it prints exactly.
Lengths are in the world's units: a bottle is about 1 high, y = 0 is the floor, x points
to the right and z towards the camera. Angles are in degrees.
"""

import dataclasses
import hashlib
import json
from typing import Literal, TypeAlias

from tbstar_jax.data_engine.render.logos import LogoForm
from tbstar_jax.data_engine.render.scene import COLORS, RGB, Color
from tbstar_jax.errors import UserError

Size: TypeAlias = tuple[int, int]
"""Rows and columns of an image, in pixels."""

MAX_ITEMS = 4
"""Things in one scene, at most."""

BackdropKind = Literal[
    "white", "plain", "gradient", "wood", "marble", "tiles", "concrete", "terrazzo",
    "linen", "stripes", "dots", "gingham", "checkers", "herringbone", "brick", "shelf",
    "bokeh", "metal", "sand", "grass", "window", "panels", "slats", "curtain", "duo",
    "hexagons", "subway", "scales", "mosaic", "basketweave", "chevron", "tartan",
    "argyle", "rattan", "waves", "silk", "tufted", "squares", "kraft", "cork",
    "travertine", "pebbles", "snow", "water", "alcove", "sunburst", "foliage",
    "pegboard", "corrugated",
]  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Label:
    """A printed plate on the front of a thing.

    Attributes:
      text: what it says; empty for nothing.
      plate: its colour, 0..255.
      ink: colour of the text, the logo and the frame around them, 0..255.
      logo: the mark beside the text, if any.
    """

    text: str
    plate: RGB
    ink: RGB
    logo: LogoForm | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Item:
    """A thing on the floor.

    Attributes:
      family: id of its shape, see `families`.
      color: id of its main colour in `COLORS`.
      material: id of its main material, see `materials`.
      accent: id of the colour of caps, handles, soles and leaves.
      accent_material: id of their material.
      proportions: four numbers in [0, 1] that its family makes a shape from.
      x: of its axis.
      z: of its axis.
      turn: about its axis, anticlockwise from above.
      scale: its size; 1 is a bottle of full height.
      grain: phase of its procedural texture.
      label: what is printed on it, if any.
    """

    family: str
    color: str
    material: str
    accent: str
    accent_material: str
    proportions: tuple[float, float, float, float]
    x: float
    z: float
    turn: float
    scale: float
    grain: float
    label: Label | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Light:
    """The lamps.

    Attributes:
      azimuth: of the key light: negative from the left, 0 from the camera's side.
      elevation: above the floor.
      warmth: -1 bluish, 0 neutral, 1 orange.
      softness: half width of the penumbra over the distance to what casts it.
      key: brightness of the key light.
      fill: brightness of what comes from everywhere.
      shadow: darkness of shadows on the floor, 0 (none) to 1.
    """

    azimuth: float
    elevation: float
    warmth: float
    softness: float
    key: float
    fill: float
    shadow: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Backdrop:
    """The floor and what is behind it.

    Attributes:
      kind: which patterns.
      tone: the floor's colour, 0..255.
      accent: the pattern's second colour; None where it has no other.
      wall: the wall's colour; None where it is the floor's.
      phase: of its texture.
    """

    kind: BackdropKind
    tone: RGB
    accent: RGB | None = None
    wall: RGB | None = None
    phase: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera that looks at the middle of the scene.

    Attributes:
      pitch: how far it looks down.
      distance: from the point it looks at.
      height: of that point.
      field_of_view: across the shorter side of the image.
    """

    pitch: float
    distance: float
    height: float
    field_of_view: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything the renderer needs to draw one photo.

    Attributes:
      size: rows and columns, in pixels.
      items: what stands on the floor; the first is the product.
      light: the lamps.
      backdrop: floor and background.
      camera: where it is seen from.
      supersampling: rays per pixel and direction.
    """

    size: Size
    items: tuple[Item, ...]
    light: Light
    backdrop: Backdrop
    camera: Camera
    supersampling: int = 2


def scene_digest(scene: Scene) -> str:
    """Names a scene by its content: SHA-256 over all parameters as canonical JSON."""
    return hashlib.sha256(scene_json(scene).encode()).hexdigest()


def scene_json(scene: Scene) -> str:
    """All parameters as JSON with sorted keys: equal scenes give equal texts."""
    return json.dumps(
        dataclasses.asdict(scene),
        sort_keys=True,
        ensure_ascii=True,
        separators=(",", ":"),
        allow_nan=False,
    )


def color_of(id: str) -> Color:
    """Finds a palette colour.

    Raises:
      UserError: no colour has this id.
    """
    for color in COLORS:
        if color.id == id:
            return color
    known = ", ".join(color.id for color in COLORS)
    raise UserError(f"unknown colour {id!r}; use one of {known}")


def require_scene(scene: Scene) -> None:
    """Checks what the renderer relies on.

    Raises:
      UserError: no item or too many, an empty image, or sizes that are not positive.
    """
    if not 1 <= len(scene.items) <= MAX_ITEMS:
        raise UserError(
            f"a studio scene has {len(scene.items)} items, but 1 to {MAX_ITEMS} can be "
            "drawn; add or remove some"
        )
    if min(scene.size) < 1 or scene.supersampling < 1:
        raise UserError(
            f"a studio scene of {scene.size} pixels and {scene.supersampling} rays per "
            "pixel and direction draws nothing; all must be at least 1"
        )
    if any(item.scale <= 0 for item in scene.items):
        raise UserError("an item's scale must be positive")
