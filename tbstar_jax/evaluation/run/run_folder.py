"""What a finished run left in its folder, read again.

run.json            who answered, what was asked, on what machine
records.jsonl       score records of the system and of the anchors
judgements.jsonl    what judges said, if any
judges.json         how each of them was asked: fingerprint to provenance
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.anchors import ANCHORS
from tbstar_jax.evaluation.files import json_text, write_whole
from tbstar_jax.evaluation.judge.judgement import Judgement
from tbstar_jax.evaluation.judge.run import read_records as read_judgements
from tbstar_jax.evaluation.run.provenance import digests_of, learned_of
from tbstar_jax.evaluation.run.scoring import read_records
from tbstar_jax.evaluation.scores.record import ScoreRecord

RUN_FILE = "run.json"
RECORDS_FILE = "records.jsonl"
JUDGEMENTS_FILE = "judgements.jsonl"
JUDGES_FILE = "judges.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A run on disk.

    Attributes:
      folder: of the run.
      name: of the system.
      prompts: ids of what was asked, in order.
      cases: folder of the cases.
      outputs: folder of the pictures.
      provenance: see `provenance.py`.
      num_samples: answers per prompt.
    """

    folder: Path
    name: str
    prompts: tuple[str, ...]
    cases: Path
    outputs: Path
    provenance: Mapping[str, Any]
    num_samples: int = 1

    def records(self) -> dict[str, list[ScoreRecord]]:
        """Score records by system, the run's own first; all samples of a prompt.

        Raises:
          UserError: answers of the run without a score.
        """
        return {
            system: [record for _, record in rows]
            for system, rows in self.scored().items()
        }

    def scored(self) -> dict[str, list[tuple[str, ScoreRecord]]]:
        """The same, each with its key: a digest of all that it depends on.

        Raises:
          UserError: answers of the run without a score.
        """
        found = read_records(self.folder / RECORDS_FILE)
        systems: dict[str, list[tuple[str, ScoreRecord]]] = {}
        for system in (self.name, *ANCHORS):
            ids = [
                (system, prompt, sample)
                for prompt in self.prompts
                for sample in range(self.num_samples if system == self.name else 1)
            ]
            if rows := [found[id] for id in ids if id in found]:
                systems[system] = rows
        expected = len(self.prompts) * self.num_samples
        missing = expected - len(systems.get(self.name, []))
        if missing:
            raise UserError(
                f"{missing} of {expected} answers of {self.folder} have no score; run "
                "the same command again to finish it"
            )
        return systems

    def judgements(self) -> list[Judgement]:
        """What judges said of the run's own pictures."""
        wanted = set(self.prompts)
        found = read_judgements(self.folder / JUDGEMENTS_FILE, Judgement).values()
        return [
            one for one in found if one.prompt in wanted and one.system == self.name
        ]

    def judges(self) -> dict[str, Any]:
        """How its judges were asked (`JudgeConfig.provenance`), by fingerprint.

        Raises:
          UserError: the file is damaged.
        """
        path = self.folder / JUDGES_FILE
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError) as error:
            raise UserError(f"{path} is damaged ({error}); delete it") from error


def write_run(run: Run) -> None:
    """Writes `run.json`.

    The autoencoder of an anchor that is there already stays named.

    Raises:
      UserError: the folder holds a run of another system or of other cases, an anchor
        through another autoencoder, or cannot be written.
    """
    path = run.folder / RUN_FILE
    told = dict(run.provenance)
    if path.exists():
        before = read_run(run.folder)
        changed = _changed(before, run)
        # A run that failed before its first answer, e.g. of a mistyped folder, holds
        # nothing that another could spoil.
        holds = any(entry.name != RUN_FILE for entry in run.folder.iterdir())
        if changed and holds:
            raise UserError(
                f"{run.folder} holds another run ({' and '.join(changed)} differ); "
                "choose another folder with --out, or delete it"
            )
        if holds and "autoencoder" in before.provenance:
            told.setdefault("autoencoder", before.provenance["autoencoder"])
    content = {
        "name": run.name,
        "prompts": run.prompts,
        "cases": _told_place(run.cases, run.folder),
        "outputs": _told_place(run.outputs, run.folder),
        "num_samples": run.num_samples,
        "provenance": told,
    }
    write_whole(path, json_text(content).encode())


def _changed(before: Run, run: Run) -> list[str]:
    """What of a run is not what the folder holds."""
    old, new = before.provenance, run.provenance
    changed = [name for name in ("system", "cases_sha256") if old[name] != new[name]]
    if before.name != run.name:
        changed.append("name")
    vaes = [one["autoencoder"] for one in (old, new) if "autoencoder" in one]
    if len({one["weights_sha256"] for one in vaes}) > 1:
        changed.append("autoencoder")
    return changed


def read_run(folder: Path) -> Run:
    """Reads `run.json`.

    Raises:
      UserError: there is none, it cannot be read, or it is not what `write_run` writes.
    """
    path = folder / RUN_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        provenance = content["provenance"]
        provenance["cases_sha256"], provenance["tools"]["ocr"]
        dict(provenance["system"])
        list(provenance["cases_not_as_shipped"])
        learned_of(provenance)
        digests_of(provenance)
        if "autoencoder" in provenance:
            str(provenance["autoencoder"]["weights_sha256"])
        num_samples = int(content.get("num_samples", 1))
        if num_samples < 1:
            raise ValueError(f"num_samples is {num_samples}")
        return Run(
            folder=folder,
            name=str(content["name"]),
            prompts=tuple(map(str, content["prompts"])),
            cases=_read_place(content["cases"], folder),
            outputs=_read_place(content["outputs"], folder),
            provenance=provenance,
            num_samples=num_samples,
        )
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} holds no benchmark run ({RUN_FILE} is missing); make one with "
            "`python -m experiments.benchmark --out=FOLDER`"
        ) from error
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); name the folder of a run"
        ) from error
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is damaged ({error!r}); delete it and run the benchmark again"
        ) from error


def _told_place(place: Path, folder: Path) -> dict[str, str]:
    """A folder as it is written down: seen from the run's, and from anywhere.

    The first holds where a tree with both is moved, the second where only the run is.
    """
    place, folder = place.resolve(), folder.resolve()
    told = {"absolute": str(place)}
    if place.anchor == folder.anchor:
        told["from_run"] = Path(os.path.relpath(place, folder)).as_posix()
    return told


def _read_place(told: str | Mapping[str, str], folder: Path) -> Path:
    """A folder that was written down; a text is of an earlier version, as given then.

    Raises:
      KeyError: it is not what `_told_place` writes.
      TypeError: likewise.
    """
    if isinstance(told, str):
        return Path(told)
    absolute = Path(told["absolute"])
    if "from_run" in told:
        seen = Path(os.path.normpath(folder.resolve() / told["from_run"]))
        if seen.exists() or not absolute.exists():
            return seen
    return absolute


def same_cases(runs: Sequence[Run]) -> None:
    """Checks that runs may stand in one table.

    Raises:
      UserError: they are of different cases, or of different definitions of scores.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.provenance["cases_sha256"] != first.provenance["cases_sha256"]:
            num_common = len(common_cases(first, run))
            raise UserError(
                f"{first.folder} and {run.folder} are of different cases, with "
                f"{num_common} in common, so their means do not stand in one table; "
                "take the differences on the cases of both with `compare`"
            )
        _same_scores(first, run)


def common_cases(first: Run, second: Run) -> frozenset[str]:
    """Ids of the cases that both runs are of, alike to the last pixel and word.

    Runs of before the digests of cases were recorded have all in common or none.

    Raises:
      UserError: there are none; a case is not the same in both; or the runs are of
        different definitions of scores.
    """
    _same_scores(first, second)
    if first.provenance["cases_sha256"] == second.provenance["cases_sha256"]:
        asked = (
            {id.rpartition("/")[0] for id in run.prompts} for run in (first, second)
        )
        return frozenset.intersection(*map(frozenset, asked))
    ours, theirs = (digests_of(run.provenance) for run in (first, second))
    common = [id for id in ours if id in theirs]
    if not common:
        raise UserError(
            f"{first.folder} and {second.folder} are of different cases, so their "
            "numbers cannot be compared; run both on the same split, or take the "
            "difference of one system between two splits with `gap`"
        )
    differing = [id for id in common if ours[id] != theirs[id]]
    if differing:
        raise UserError(
            f"{first.folder} and {second.folder} have different pictures or words in "
            f"{len(differing)} of the {len(common)} cases that both name, such as "
            f"{differing[0]}, so their numbers cannot be compared; run both on the "
            "same cases (--cases), or take the difference of one system between two "
            "seeds with `gap`"
        )
    return frozenset(common)


def two_splits(first: Run, second: Run) -> None:
    """Checks that two runs are one system's, on cases that have nothing in common.

    Raises:
      UserError: they are of the same cases, or of one split and seed; of two systems;
        of different definitions of scores or of cases; or of prompts chosen otherwise.
    """
    both = f"{first.folder} and {second.folder}"
    told = first.provenance, second.provenance
    if told[0]["cases_sha256"] == told[1]["cases_sha256"]:
        raise UserError(
            f"{both} are of the same cases, so there is no gap between splits; compare "
            "them prompt by prompt with `compare`"
        )
    if _drawn_from(first) == _drawn_from(second):
        raise UserError(
            f"{both} are both of {split_name(first)}, of other tasks or drawn by other "
            "software, so their cases are no two independent samples; run one of them "
            "on another split or seed"
        )
    systems = [{"name": run.name, **_identity(run)} for run in (first, second)]
    names = dict.fromkeys([*systems[0], *systems[1]])
    differing = [name for name in names if systems[0].get(name) != systems[1].get(name)]
    if differing:
        raise UserError(
            f"{both} are of two systems (they differ in {' and '.join(differing)}), so "
            "a gap would not be one of splits; run one system on both, under one --name"
        )
    _same_scores(first, second)
    versions = [one.get("cases_version", "2 or lower") for one in told]
    if versions[0] != versions[1]:
        raise UserError(
            f"{both} are of cases of different versions ({versions[0]} and "
            f"{versions[1]}), so a gap would not be one of splits; run the older one "
            "again in a new folder"
        )
    limits = [one.get("max_instruction_bytes") for one in told]
    if limits[0] != limits[1]:
        raise UserError(
            f"{both} were asked prompts of different length (--max-instruction-bytes "
            f"{limits[0]} and {limits[1]}), so a gap would not be one of splits; run "
            "both with one limit"
        )


def split_name(run: Run) -> str:
    """The split of a run's cases, with the seed where it has one."""
    split, seed = _drawn_from(run)
    return split if seed is None else f"{split}, seed {seed}"


def _drawn_from(run: Run) -> tuple[str, Any]:
    return str(run.provenance.get("split", "")), run.provenance.get("seed")


def _identity(run: Run) -> dict[str, Any]:
    """What decides a system's answers, without where it lies on this machine.

    Weights are known by their hash; of pictures made elsewhere nothing but the name is.
    """
    places = ("directory", "outputs")
    system = dict(run.provenance["system"])
    return {name: value for name, value in system.items() if name not in places}


def _same_scores(first: Run, second: Run) -> None:
    # Absent in runs of before it was recorded.
    versions = [
        run.provenance.get("scores_version", "3 or lower") for run in (first, second)
    ]
    if versions[0] != versions[1]:
        raise UserError(
            f"{first.folder} and {second.folder} were scored by different definitions "
            f"(versions {versions[0]} and {versions[1]}), so their numbers cannot be "
            "compared; run the command of the older one again, which scores its "
            "pictures anew"
        )
