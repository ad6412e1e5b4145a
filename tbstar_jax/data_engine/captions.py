"""Full descriptions of a scene in English and Chinese, for text-to-image training.

A caption names everything an edit can change: background, colour, product, label text,
prop and watermark; what is not named is not in the picture.
"""

from tbstar_jax.data_engine.instructions import MAX_BYTES
from tbstar_jax.data_engine.render.scene import Scene


def captions(scene: Scene) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Describes a scene.

    Args:
      scene: what the picture shows.

    Returns:
      Two or three English and Chinese captions, each at most `MAX_BYTES` UTF-8 bytes.
    """
    english = tuple(text for text in _english(scene) if len(text.encode()) <= MAX_BYTES)
    chinese = tuple(text for text in _chinese(scene) if len(text.encode()) <= MAX_BYTES)
    assert english, f"no English caption of this scene is short enough: {scene}"
    assert chinese, f"no Chinese caption of this scene is short enough: {scene}"
    return english, chinese


def _english(scene: Scene) -> tuple[str, ...]:
    setting, tone = scene.background.setting, scene.background.tone
    place = setting.phrase_en.format(tone=tone.name_en)
    product = f"{scene.color.name_en} {scene.family.name_en}"
    label = scene.label.text if scene.label else None
    prop = ""
    if scene.prop:
        prop = f"{_article(scene.prop.color.name_en)} {scene.prop.kind.name_en}"
    article = _article(product)
    full = article + (f" labelled {label}" if label else "")
    full += (f" next to {prop}" if prop else "") + f" {place}"
    full += ", with a watermark" if scene.watermark else ""
    short = product + (f" labelled {label}" if label else "")
    short += (f" and {prop}" if prop else "") + f" {place}"
    short += ", watermark" if scene.watermark else ""
    listed = f"{article} {place}"
    listed += f", label {label}" if label else ""
    listed += f", {prop}" if prop else ""
    listed += ", watermark" if scene.watermark else ""
    return full, short, listed


def _chinese(scene: Scene) -> tuple[str, ...]:
    setting, tone = scene.background.setting, scene.background.tone
    place = setting.phrase_zh.format(tone=tone.name_zh)
    product = f"{scene.color.name_zh}{scene.family.name_zh}"
    label = f"，标签{scene.label.text}" if scene.label else ""
    prop = ""
    if scene.prop:
        prop = f"{scene.prop.color.name_zh}{scene.prop.kind.name_zh}"
    full = f"{place}{product}{label}" + (f"，旁边有{prop}" if prop else "")
    full += "，带水印" if scene.watermark else ""
    short = f"{place}{product}" + (f"和{prop}" if prop else "") + label
    short += "，有水印" if scene.watermark else ""
    listed = f"{product}{label}" + (f"，{prop}" if prop else "")
    listed += f"，{place.removesuffix('的')}"
    listed += "，水印" if scene.watermark else ""
    return full, short, listed


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
