# Sourced before python starts: runtime flags for this machine, one reason each.
# TBSTAR_PLATFORM=cpu|gpu|tpu overrides the guess. POSIX sh: the Makefile sources it too.
# shellcheck shell=sh
if [ -z "${TBSTAR_PLATFORM:-}" ]; then
  case "${JAX_PLATFORMS:-}" in
    cpu*) TBSTAR_PLATFORM=cpu ;;
    cuda* | gpu* | rocm*) TBSTAR_PLATFORM=gpu ;;
    tpu*) TBSTAR_PLATFORM=tpu ;;
    *) if [ -e /dev/nvidia0 ]; then TBSTAR_PLATFORM=gpu
       elif [ -e /dev/accel0 ] || [ -e /dev/vfio/0 ]; then TBSTAR_PLATFORM=tpu
       else TBSTAR_PLATFORM=cpu; fi ;;
  esac
fi
case "$TBSTAR_PLATFORM" in
  cpu)
    # XLA maps its temporaries anew in every step; huge pages make page faults rare.
    export GLIBC_TUNABLES="glibc.malloc.hugetlb=1${GLIBC_TUNABLES:+:$GLIBC_TUNABLES}" ;;
  gpu)
    # Gather the next weights while the present ones multiply.
    XLA_FLAGS="${XLA_FLAGS:-} --xla_gpu_enable_latency_hiding_scheduler=true"
    # The same across iterations of the scan over blocks, where the gathers are.
    XLA_FLAGS="$XLA_FLAGS --xla_gpu_enable_while_loop_double_buffering=true"
    export XLA_FLAGS
    # The default reserves three quarters of the memory; the rest is of no use to others.
    export XLA_PYTHON_CLIENT_MEM_FRACTION="${XLA_PYTHON_CLIENT_MEM_FRACTION:-0.9}" ;;
  tpu)
    # All-gathers of sharded weights start early and run beside compute; the three flags
    # go together (libtpu 0.0.42 then compiles all-gather-start; without them it does not).
    # Not with xla_tpu_overlap_compute_collective_tc: both together have given NaN.
    LIBTPU_INIT_ARGS="${LIBTPU_INIT_ARGS:-} --xla_enable_async_all_gather=true"
    LIBTPU_INIT_ARGS="$LIBTPU_INIT_ARGS --xla_tpu_enable_async_collective_fusion=true"
    LIBTPU_INIT_ARGS="$LIBTPU_INIT_ARGS --xla_tpu_enable_async_collective_fusion_fuse_all_gather=true"
    export LIBTPU_INIT_ARGS ;;
  *) echo "error: TBSTAR_PLATFORM=$TBSTAR_PLATFORM is not one of cpu, gpu, tpu" >&2; exit 2 ;;
esac
