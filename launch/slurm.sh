#!/usr/bin/env bash
# One process per node under Slurm, each with all of its node's devices:
#   NODES=4 GPUS_PER_NODE=8 launch/slurm.sh [--dry-run] stage1 --mesh=8x4 ...
# Outside a job it submits itself; inside (sbatch, salloc) it starts the processes. Account,
# partition and time come from sbatch's own SBATCH_ACCOUNT, SBATCH_PARTITION, SBATCH_TIMELIMIT.
set -euo pipefail
dry_run=
if [ "${1:-}" = --dry-run ]; then dry_run=1; shift; fi
if [ $# -eq 0 ]; then
  echo "usage: [NODES=n] [GPUS_PER_NODE=n] $0 [--dry-run] EXPERIMENT [flags]" >&2; exit 2
fi
run() {
  if [ -n "$dry_run" ]; then printf '%q ' "$@"; echo; else "$@"; fi
}
if [ -z "${SLURM_JOB_ID:-}" ]; then
  cd "$(dirname "${BASH_SOURCE[0]}")/.."
  run sbatch --job-name="tbstar-$1" --nodes="${NODES:-1}" --ntasks-per-node=1 --exclusive \
    ${GPUS_PER_NODE:+--gpus-per-node="$GPUS_PER_NODE"} launch/slurm.sh "$@"
  exit
fi
# Slurm runs a copy of this script from elsewhere, but in the directory of submission.
name=$1; shift
export PATH="$PWD/.venv/bin:$PATH"
. launch/xla_flags.sh
# The processes find each other from Slurm's variables; if one dies, none stays behind.
run srun --ntasks-per-node=1 --kill-on-bad-exit=1 python -m "experiments.$name" "$@"
