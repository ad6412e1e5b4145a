"""What was run, on what: enough to do it again and to see why numbers differ."""

import datetime
import hashlib
import importlib.metadata
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tbstar_jax
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.answer import SECONDS
from tbstar_jax.evaluation.cases.seeds import BENCHMARK_VERSION
from tbstar_jax.evaluation.journal import read_journal
from tbstar_jax.evaluation.run.scoring import SCORES_VERSION

CASE_DIGESTS = "case_digests"
"""Field of the digest of every case, so that runs of some of them can be compared."""

_PACKAGES = ("jax", "numpy", "pillow", "scipy")


def provenance(
    *,
    system: Mapping[str, str],
    split: str,
    case_digests: Mapping[str, str],
    tools: Mapping[str, Any],
    command: Sequence[str],
) -> dict[str, Any]:
    """Describes a run in JSON values.

    Args:
      system: what decides the answers.
      split: of the cases.
      case_digests: case id to SHA-256 of its pixels, masks and instructions.
      tools: what scores depend on and may be absent: `ocr`, the reader of texts;
        `learned`, where there are any, `LearnedConfig.provenance`.
      command: the command line.
    """
    return {
        "system": dict(system),
        "split": split,
        "num_cases": len(case_digests),
        "cases_sha256": digest_of(case_digests),
        CASE_DIGESTS: dict(case_digests),
        "tools": dict(tools),
        "command": list(command),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "scores_version": SCORES_VERSION,
        "cases_version": BENCHMARK_VERSION,
        "versions": {
            "tbstar_jax": tbstar_jax.__version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
        },
        "machine": f"{platform.system()} {platform.machine()}",
    }


def digest_of(case_digests: Mapping[str, str]) -> str:
    """SHA-256 of a set of cases: of the sorted lines `<id> <digest>`."""
    lines = "".join(f"{id} {case_digests[id]}\n" for id in sorted(case_digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def digests_of(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Case id to digest; empty for runs of before these were recorded.

    Args:
      provenance: of a run, as read from its file.

    Raises:
      TypeError, ValueError, AttributeError: it is damaged.
    """
    digests = provenance.get(CASE_DIGESTS, {})
    return {str(id): str(digest) for id, digest in digests.items()}


def wall_time(outputs: Path) -> dict[str, float | int] | None:
    """How long the edits of a run took.

    Args:
      outputs: folder of its pictures.

    Returns:
      `num_edits`; `seconds`, their sum (edits at a server run several at once);
      `seconds_per_edit`, the median. Of a picture that was made again the last time
      counts; the first one's has the compilation in it. None where the pictures were
      made elsewhere.

    Raises:
      UserError: the file is not what `ask_system` writes.
    """
    path = outputs / SECONDS
    try:
        took = {one["prompt"]: float(one["seconds"]) for one in read_journal(path)}
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} holds no times ({error!r}); delete it") from error
    if not took:
        return None
    return {
        "num_edits": len(took),
        "seconds": round(sum(took.values()), 3),
        "seconds_per_edit": round(statistics.median(took.values()), 3),
    }


def learned_of(provenance: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The weights of learned metrics that measured a run; empty without any.

    Args:
      provenance: of the run, as read from its file.

    Returns:
      By section of `learned.yaml`: `name`, `sha256`, `fingerprint`.

    Raises:
      KeyError, TypeError, ValueError, AttributeError: it is damaged.
    """
    return {
        str(section): {key: str(one[key]) for key in ("name", "sha256", "fingerprint")}
        for section, one in provenance["tools"].get("learned", {}).items()
    }


def _commit() -> str:
    """The commit of the source, `-dirty` if it was changed; empty when unknown."""
    root = Path(tbstar_jax.__file__).parent.parent
    if not (root / ".git").exists():  # else an enclosing repository would answer
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
