"""Two systems' answers to a suite as pairs for the blind page.

KontextBench has no other score: its authors let people choose.
"""

from pathlib import Path

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.preference.study import Answer, Pair
from tbstar_jax.evaluation.public.export import photo_name
from tbstar_jax.evaluation.public.items import Suite
from tbstar_jax.evaluation.public.outputs import open_outputs


def preference_pairs(
    suite: Suite, exported: Path, first: tuple[str, Path], second: tuple[str, Path]
) -> tuple[Pair, ...]:
    """Pairs the answers of two systems; items that one lacks are left out.

    Args:
      suite: whose items were answered.
      exported: the folder of `export_suite`, for the photos.
      first: a system's name and the folder of its answers.
      second: another's.

    Returns:
      A pair per item that both have answered, for `preference.page.build_page`.

    Raises:
      UserError: a folder holds no answer, there is no item in common, or a photo was
        not exported.
    """
    name_a, name_b = first[0], second[0]
    found_a, found_b = (open_outputs(one[1], suite).found for one in (first, second))
    pairs = []
    for item in suite.items:
        if item.id not in found_a.paths or item.id not in found_b.paths:
            continue
        photo = exported / photo_name(item)
        if not photo.is_file():
            raise UserError(f"{photo} is missing; export {suite.name} there first")
        pairs.append(
            Pair(
                prompt=item.id,
                case=item.case,
                task=item.task,
                language=item.language,
                instruction=item.instruction,
                source=photo,
                first=Answer(system=name_a, image=found_a.paths[item.id]),
                second=Answer(system=name_b, image=found_b.paths[item.id]),
            )
        )
    if not pairs:
        raise UserError(f"{name_a} and {name_b} have answered no item of both")
    return tuple(pairs)
