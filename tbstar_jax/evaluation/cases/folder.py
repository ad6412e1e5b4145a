"""A folder of cases that can be asked for any of them, pictures read when needed."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Case, Language, TargetText
from tbstar_jax.evaluation.cases.digest import case_digest
from tbstar_jax.evaluation.cases.manifest import check_manifest
from tbstar_jax.evaluation.cases.store import load_case, read_index


class CaseFolder:
    """The cases of a folder, in the order of its lines."""

    def __init__(self, folder: Path, tasks: Sequence[str] | None) -> None:
        """Reads what is known of the cases without their pictures.

        Args:
          folder: as `store.write_cases` left it, or made by anybody.
          tasks: only these; None for all.

        Raises:
          UserError: see `store.load_cases`; or no case of these tasks.
        """
        self.folder = folder
        self._pairs = {pair[0].pair_id: pair for pair in read_index(folder, tasks)}
        if not self._pairs:
            raise UserError(
                f"{folder} has no case of the tasks {', '.join(tasks or ())}; choose "
                "others with --tasks, or other cases"
            )

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all cases."""
        return tuple(self._pairs)

    @property
    def split(self) -> str:
        """That the cases belong to; several are joined by `+`."""
        found = {first.fields["split"]: None for first, _ in self._pairs.values()}
        return "+".join(found)

    @property
    def drawn_with(self) -> Mapping[str, str]:
        """Versions of the packages that drew the cases; several are joined by `+`."""
        found: dict[str, dict[str, None]] = {}
        for first, _ in self._pairs.values():
            for name, version in first.drawn_with.items():
                found.setdefault(name, {})[version] = None
        return {name: "+".join(versions) for name, versions in found.items()}

    def __iter__(self) -> Iterator[Case]:
        """Yields every case with its pictures, one at a time."""
        for pair in self._pairs.values():
            yield load_case(pair, self.folder)

    def __getitem__(self, id: str) -> Case:
        """One case, with its pictures.

        Raises:
          UserError: there is none of this id.
        """
        if id not in self._pairs:
            raise UserError(f"{self.folder} has no case {id!r}")
        return load_case(self._pairs[id], self.folder)

    def picture(self, id: str, name: Literal["photo", "reference"]) -> Path:
        """Where a picture of a case is; its bytes are checked only when it is read."""
        return self.folder / self._pairs[id][0].files[name].path

    def size(self, id: str) -> tuple[int, int]:
        """Rows and columns that an answer must have."""
        return self._pairs[id][0].size

    def object_picture(self, id: str) -> Path | None:
        """Where a case's second picture is; None where it has none."""
        file = self._pairs[id][0].files.get("object")
        return None if file is None else self.folder / file.path

    def instruction(self, id: str, language: Language) -> str:
        """What a system is told, without reading pictures."""
        return next(
            one for one in self._pairs[id] if one.language == language
        ).instruction

    def target_texts(self, id: str) -> Sequence[TargetText]:
        """Texts that the edit of a case is about, without reading its pictures."""
        found: Sequence[TargetText] = self._pairs[id][0].fields["target_texts"]
        return found

    def next_of_same_size(self, id: str) -> str | None:
        """The next case of the same size in order of id, cyclically; None: no other."""
        size = self._pairs[id][0].size
        others = [
            other
            for other, (first, _) in self._pairs.items()
            if first.size == size and other != id
        ]
        return min(others, key=lambda other: (other < id, other), default=None)

    @functools.cached_property
    def _checked(self) -> tuple[dict[str, str], tuple[str, ...]]:
        digests, differing = {}, []
        for case in tqdm(self, total=len(self._pairs), desc="cases", unit="case"):
            digests[case.id] = case_digest(case)
            differing += check_manifest([case])
        return digests, tuple(differing)

    @property
    def digests(self) -> Mapping[str, str]:
        """Case id to SHA-256 of its pixels, masks and instructions."""
        return self._checked[0]

    @property
    def not_as_shipped(self) -> tuple[str, ...]:
        """Ids of the cases that differ from the published ones: `check_manifest`."""
        return self._checked[1]
