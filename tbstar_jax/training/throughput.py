"""How fast a run is: images per second, share of waiting, TFLOP/s, utilisation."""

import dataclasses
import time
from collections.abc import Sequence

_PEAK_TFLOPS: Sequence[tuple[str, float]] = (
    # Dense bfloat16 TFLOP/s of one device, from the vendors' data sheets. The first
    # name that occurs in the device's kind counts.
    ("TPU v5p", 459.0),
    ("TPU v5 lite", 197.0),
    # Older runtimes call a v5p plainly "TPU v5".
    ("TPU v5", 459.0),
    ("TPU v6", 918.0),
    ("H100 PCIe", 756.0),
    ("H100", 989.0),
    ("H200", 989.0),
    ("A100", 312.0),
)


def peak_tflops(device_kind: str) -> float | None:
    """Returns a device's bfloat16 peak in TFLOP/s, or None where it is not known.

    Args:
      device_kind: `jax.Device.device_kind`, such as "NVIDIA H200".
    """
    for name, peak in _PEAK_TFLOPS:
        if name.lower() in device_kind.lower():
            return peak
    return None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workload:
    """What one step is worth.

    Attributes:
      num_images: target images per step, over all processes.
      tflop: 10**12 floating-point operations per step by formula, over all devices,
        without recomputation.
      num_devices: devices of the whole mesh.
      peak_tflops: bfloat16 peak of one device, None where it is not known.
    """

    num_images: int
    tflop: float
    num_devices: int
    peak_tflops: float | None


class Throughput:
    """Measures the steps since the last report, with pauses left out.

    The first step of a run compiles the program; `start` after it.
    """

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self.start()

    def start(self) -> None:
        """Begins a new measurement now."""
        self._begin = time.perf_counter()
        self._num_steps = 0
        self._waited = 0.0

    def add_step(self, seconds_waited: float) -> None:
        """Counts a step that waited so long for its input."""
        self._num_steps += 1
        self._waited += seconds_waited

    def skip(self, seconds: float) -> None:
        """Leaves a pause, such as an evaluation, out of the measurement."""
        self._begin += seconds

    def report(self) -> dict[str, float]:
        """Returns the rates since the last report and begins a new measurement.

        Returns:
          `images_per_second`, `seconds_per_step`, `input_wait_share` in [0, 1],
          `tflops_per_device`, and `mfu` in [0, 1] where the peak is known; nothing
          when no step was counted.
        """
        seconds = time.perf_counter() - self._begin
        num_steps, waited = self._num_steps, self._waited
        self.start()
        if num_steps == 0 or seconds <= 0:
            return {}
        workload = self._workload
        rate = workload.tflop * num_steps / seconds / workload.num_devices
        values = {
            "images_per_second": workload.num_images * num_steps / seconds,
            "seconds_per_step": seconds / num_steps,
            "input_wait_share": waited / seconds,
            "tflops_per_device": rate,
        }
        if workload.peak_tflops is not None:
            values["mfu"] = rate / workload.peak_tflops
        return values
