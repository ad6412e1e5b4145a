"""What a run needs, looked for before cases are drawn or anything is written."""

from pathlib import Path

from experiments.benchmark_flags import RunFlags
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.endpoint import Endpoint
from tbstar_jax.evaluation.answers.folder import SUFFIXES
from tbstar_jax.inference.loaded_model import model_of
from tbstar_jax.vlm.exchange import ExchangeError, require_listener


def require_places(flags: RunFlags, pictures: Path) -> None:
    """Checks that the answers can come from where they are said to.

    Args:
      flags: of the run.
      pictures: where a system's answers will be. Where they are, a server is not looked
        for: perhaps nothing is left to ask.

    Raises:
      UserError: `--outputs` is no folder with pictures, `--checkpoint` or `--vae` no
        model, `--endpoint` no server, or `--out` no folder.
    """
    if flags.out.exists() and not flags.out.is_dir():
        raise UserError(f"--out is {flags.out}, a file; name a folder for the run")
    if flags.outputs is not None:
        _require_pictures(flags.outputs)
    if flags.vae is not None:  # also --checkpoint
        _require_model(flags.vae)
    if isinstance(flags.system, Endpoint):
        with flags.system.open():
            pass  # finds the key
        if not pictures.exists():
            _require_server(flags.system)


def _require_pictures(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder} with the outputs to be scored")
    if not any(path.suffix.lower() in SUFFIXES for path in folder.rglob("*")):
        raise UserError(
            f"{folder} holds no picture ({', '.join(SUFFIXES)}); name files by their "
            "prompts, as `python -m experiments.benchmark cases --help` says"
        )


def _require_model(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {folder} with weights; name a weights folder or a "
            "public checkpoint"
        )
    model_of(folder)


def _require_server(system: Endpoint) -> None:
    address = system.server.base_url
    try:
        require_listener(address, system.server.connect_timeout_s)
    except ExchangeError as error:
        raise UserError(
            f"nothing answers at {address} ({error}); start the server, or correct "
            "--endpoint"
        ) from error
