#!/usr/bin/env bash
# One experiment on this machine: launch/local.sh [--dry-run] stage1 --mesh=4x2 ...
# NUM_PROCESSES=2 starts that many processes here, as a cluster would (CPU only).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
dry_run=
if [ "${1:-}" = --dry-run ]; then dry_run=1; shift; fi
if [ $# -eq 0 ]; then
  echo "usage: [NUM_PROCESSES=n] $0 [--dry-run] EXPERIMENT [flags]" >&2; exit 2
fi
name=$1; shift
export PATH="$PWD/.venv/bin:$PATH"
. launch/xla_flags.sh
run() {
  if [ -n "$dry_run" ]; then printf '%q ' "$@"; echo; else "$@"; fi
}
count=${NUM_PROCESSES:-1}
if [ "$count" -gt 1 ]; then
  # A port from this shell's number: two runs on one machine do not meet.
  address=127.0.0.1:${COORDINATOR_PORT:-$((20000 + $$ % 20000))}
  # shellcheck disable=SC2046 # one number per job
  trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
  for ((id = 0; id < count; id++)); do
    command=(env JAX_PLATFORMS=cpu TBSTAR_COORDINATOR="$address"
      TBSTAR_NUM_PROCESSES="$count" TBSTAR_PROCESS_ID="$id"
      python -m "experiments.$name" "$@")
    if [ -n "$dry_run" ]; then run "${command[@]}"; else "${command[@]}" & fi
  done
  # The first failure ends the others: they would wait for it until a timeout.
  while [ -n "$(jobs -p)" ]; do wait -n; done
  exit
fi
run python -m "experiments.$name" "$@"
