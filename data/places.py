"""Where the stages of `data.build` put their sets, below one directory.

collected/read-photos, read-pairs   as read, with scores and hashes
collected/hashes-<digest>.npz       of what was read
collected/photos, pairs             with scenes, duplicates rejected
constructed/<method>                pairs
filtered/<name>                     measured pairs, of every constructed set and of
                                    the collected pairs
augmented/<name>                    more of them
heldout                             scenes that no mixture takes
mixtures                            stage1.json, stage2.json
reports                             the filter's pages
configs/<stage>.json                the configuration of the stage's last run
"""

import dataclasses
from pathlib import Path

from tbstar_jax.data_engine.store.index import INDEX
from tbstar_jax.errors import UserError

TRAIN = "train"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Places:
    """Directories of sets.

    Attributes:
      root: what `--out` says.
    """

    root: Path

    def collected(self, name: str) -> Path:
        """A set that collecting made."""
        return self.root / "collected" / name

    def constructed(self, name: str) -> Path:
        """The pairs of one method."""
        return self.root / "constructed" / name

    def filtered(self, name: str) -> Path:
        """Measured pairs."""
        return self.root / "filtered" / name

    def augmented(self, name: str) -> Path:
        """Augmented pairs."""
        return self.root / "augmented" / name

    @property
    def reports(self) -> Path:
        """The filter's page of one set is `<name>.html` in here."""
        return self.root / "reports"

    @property
    def configs(self) -> Path:
        """The configuration of a stage's last run is `<stage>.json` in here."""
        return self.root / "configs"

    @property
    def held_out(self) -> Path:
        """The held-out set."""
        return self.root / "heldout"

    @property
    def mixtures(self) -> Path:
        """Mixtures and selections."""
        return self.root / "mixtures"

    def setting(self, mixture: str) -> Path:
        """A mixture as a value of training's `data.mixture`."""
        return self.mixtures / f"{mixture}.setting.json"

    def finished(self, kind: str) -> dict[str, Path]:
        """The finished sets of a kind, e.g. `constructed`, by name."""
        found = sorted((self.root / kind).glob(f"*/{INDEX}"))
        return {path.parent.name: path.parent for path in found}

    def unfiltered(self, *, required: bool = True) -> dict[str, Path]:
        """Pairs for the filter: all constructed ones, and those that were collected.

        Args:
          required: whether there must be some.

        Raises:
          UserError: there are none, though required.
        """
        sets = self.finished("constructed")
        if (self.collected("pairs") / INDEX).is_file():
            sets["imported"] = self.collected("pairs")
        if required and not sets:
            raise UserError(
                f"there are no pairs below {self.root}; run --stage=collect on a set "
                "of pairs, or --stage=construct"
            )
        return sets
