#!/usr/bin/env bash
# One process on every worker of a Cloud TPU VM:
#   TPU_NAME=pod ZONE=us-east5-a launch/tpu_pod.sh [--dry-run] stage1 --mesh=16x4 ...
# Every worker needs this repository in REMOTE_DIR (default: tbstar_jax in the home
# directory) with .venv made there and `jax[tpu]` installed; --workdir and the data must be
# on storage that all workers see.
set -euo pipefail
dry_run=
if [ "${1:-}" = --dry-run ]; then dry_run=1; shift; fi
if [ $# -eq 0 ] || [ -z "${TPU_NAME:-}" ] || [ -z "${ZONE:-}" ]; then
  echo "usage: TPU_NAME=name ZONE=zone $0 [--dry-run] EXPERIMENT [flags]" >&2; exit 2
fi
name=$1; shift
run() {
  if [ -n "$dry_run" ]; then printf '%q ' "$@"; echo; else "$@"; fi
}
# shellcheck disable=SC2016 # $PWD and $PATH are the worker's
remote() {
  printf 'cd %q && export PATH="$PWD/.venv/bin:$PATH"' "${REMOTE_DIR:-tbstar_jax}"
  printf ' TBSTAR_PLATFORM=tpu TBSTAR_CLUSTER=tpu && . launch/xla_flags.sh &&'
  printf ' %q' "$@"
}
run gcloud compute tpus tpu-vm ssh "$TPU_NAME" --zone="$ZONE" --worker=all \
  ${PROJECT:+--project="$PROJECT"} \
  --command="$(remote python -m "experiments.$name" "$@")"
