"""One process per host: starts `jax.distributed` from what a launcher left behind.

Three launchers are known. `launch/local.sh` sets `TBSTAR_COORDINATOR` (host:port of
process 0), `TBSTAR_NUM_PROCESSES` and `TBSTAR_PROCESS_ID`. Slurm sets its own variables
inside an `srun` step. On Cloud TPU, GKE sets the workers' names, and
`launch/tpu_pod.sh` sets `TBSTAR_CLUSTER=tpu`, after which jax asks the metadata server.
For the last two jax's own detection finds the addresses.
"""

import os
import re

import jax

from tbstar_jax.errors import UserError

_OWN_VARIABLES = ("TBSTAR_COORDINATOR", "TBSTAR_NUM_PROCESSES", "TBSTAR_PROCESS_ID")
_SLURM_VARIABLES = (
    "SLURM_JOB_ID",
    "SLURM_STEP_NODELIST",
    "SLURM_NTASKS",
    "SLURM_PROCID",
    "SLURM_LOCALID",
)


def initialise_distributed() -> tuple[int, int]:
    """Joins the other processes of this run, if there are any.

    Must run before jax is initialised. A second call only reports.

    Returns:
      This process's index, in `[0, process count)`, and the number of processes.

    Raises:
      UserError: the environment names some but not all of what is needed, or a value
        in it is malformed or out of range.
    """
    own = _own_launch()
    if not jax.distributed.is_initialized():
        if own is not None:
            coordinator, num_processes, process_id = own
            jax.distributed.initialize(
                coordinator,
                num_processes,
                process_id,
                cluster_detection_method="deactivate",
            )
        elif _in_slurm_step():
            # By default jax gives a Slurm task one device, the one of its local rank; a
            # task that is alone on its node takes them all.
            is_alone = (
                os.environ.get("SLURM_STEP_NUM_NODES") == os.environ["SLURM_NTASKS"]
            )
            jax.distributed.initialize(local_device_ids=[] if is_alone else None)
        elif _on_tpu_pod():
            jax.distributed.initialize()
    return jax.process_index(), jax.process_count()


def launched_process_count() -> int:
    """Number of processes the environment announces; jax stays uninitialised.

    Returns:
      The number `launch/local.sh` or Slurm announces; 1 without either, also on TPU
      pods, whose number only their metadata server knows.

    Raises:
      UserError: as `initialise_distributed`.
    """
    own = _own_launch()
    if own is not None:
        return own[1]
    return int(os.environ["SLURM_NTASKS"]) if _in_slurm_step() else 1


def _own_launch() -> tuple[str, int, int] | None:
    """Coordinator, number of processes and process id from our own variables."""
    values = {name: os.environ.get(name, "") for name in _OWN_VARIABLES}
    missing = [name for name, value in values.items() if not value]
    if len(missing) == len(values):
        return None
    if missing:
        raise UserError(
            f"{' and '.join(missing)} not set: a run of several processes needs "
            f"{', '.join(_OWN_VARIABLES)}, all three or none"
        )
    coordinator = values["TBSTAR_COORDINATOR"]
    if not re.fullmatch(r"\S+:\d+", coordinator):
        raise UserError(
            f"TBSTAR_COORDINATOR is {coordinator!r}: write host:port of process 0, for "
            "example 10.0.0.1:8476"
        )
    num_processes = _whole_number("TBSTAR_NUM_PROCESSES", values)
    process_id = _whole_number("TBSTAR_PROCESS_ID", values)
    if process_id >= num_processes:
        raise UserError(
            f"TBSTAR_PROCESS_ID is {process_id}, but it must be below "
            f"TBSTAR_NUM_PROCESSES, which is {num_processes}"
        )
    return coordinator, num_processes, process_id


def _whole_number(name: str, values: dict[str, str]) -> int:
    if not re.fullmatch(r"\d+", values[name], re.ASCII):
        raise UserError(f"{name} is {values[name]!r}: write a whole number, 0 or more")
    return int(values[name])


def _in_slurm_step() -> bool:
    """Whether `srun` started this process as one of several."""
    has_all = all(name in os.environ for name in _SLURM_VARIABLES)
    return has_all and os.environ["SLURM_NTASKS"] != "1"


def _on_tpu_pod() -> bool:
    """Whether this is one of several workers of a TPU slice, or of several slices."""
    return (
        os.environ.get("TBSTAR_CLUSTER") == "tpu"
        or "," in os.environ.get("TPU_WORKER_HOSTNAMES", "")
        or "MEGASCALE_COORDINATOR_ADDRESS" in os.environ
    )
