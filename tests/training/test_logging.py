"""Event files, previews and throughput."""

import json

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.errors import UserError
from tbstar_jax.training.logging import RunWriter, drop_events_after, read_events
from tbstar_jax.training.preview import PreviewRow, error_map, preview_grid
from tbstar_jax.training.throughput import Throughput, Workload, peak_tflops


def test_events_are_json_lines_that_are_on_disk_at_once(tmp_path):
    with RunWriter(tmp_path, resume_step=0, is_primary=True) as writer:
        writer.event(3, "train", {"loss": 0.5, "note": "x", "bad": float("nan")})
        (event,) = read_events(tmp_path / "metrics.jsonl")
    assert event.pop("time") > 0
    assert event == {
        "step": 3,
        "event": "train",
        "loss": 0.5,
        "note": "x",
        "bad": "nan",
    }


def test_another_process_writes_nothing(tmp_path):
    with RunWriter(tmp_path / "run", resume_step=0, is_primary=False) as writer:
        writer.config("{}")
        writer.event(1, "train", {"loss": 0.5})
        writer.preview(1, "x", np.zeros((2, 2, 3), np.uint8))
    assert not (tmp_path / "run").exists()


def test_the_config_lies_beside_the_events(tmp_path):
    with RunWriter(tmp_path, resume_step=0, is_primary=True) as writer:
        writer.config('{"seed": 1}\n')
    assert (tmp_path / "config.json").read_text() == '{"seed": 1}\n'


def test_dropping_events_keeps_the_others_byte_for_byte_in_order(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"step": step, "event": "train"}) for step in (1, 2, 3)]
    path.write_text("\n".join([*lines, '{"step": 4, "ev']))
    drop_events_after(path, 2)
    assert path.read_text() == "\n".join(lines[:2]) + "\n"
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_broken_line_in_the_middle_is_an_error(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\nbroken\n{"step": 2}\n')
    with pytest.raises(UserError, match=r"line 2 of .*metrics.jsonl is not JSON"):
        drop_events_after(path, 1)


def test_a_preview_is_written_as_png(tmp_path):
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    with RunWriter(tmp_path, resume_step=0, is_primary=True) as writer:
        writer.preview(12, "grid", image)
    written = np.asarray(Image.open(tmp_path / "previews" / "0000012_grid.png"))
    np.testing.assert_array_equal(written, image)


def test_the_error_map_is_four_times_the_mean_difference():
    target = np.zeros((1, 3, 3), np.uint8)
    edit = np.array([[[0, 0, 0], [3, 6, 9], [255, 255, 255]]], np.uint8)
    np.testing.assert_array_equal(error_map(target, edit)[0, :, 0], [0, 24, 255])


def test_the_grid_holds_all_four_pictures_unscaled():
    rng = np.random.default_rng(0)
    source = rng.integers(0, 256, (20, 30, 3), np.uint8)
    target = rng.integers(0, 256, (24, 26, 3), np.uint8)
    edit = rng.integers(0, 256, (24, 26, 3), np.uint8)
    row = PreviewRow(label="换色 recolor", source=source, target=target, edit=edit)
    grid = preview_grid([row, row])
    assert grid.shape == (14 + 2 * (24 + 18) + 4, 4 + 30 + 4 + 3 * (26 + 4), 3)
    np.testing.assert_array_equal(grid[28:48, 4:34], source)
    np.testing.assert_array_equal(grid[28:52, 38:64], target)
    np.testing.assert_array_equal(grid[28:52, 68:94], edit)
    np.testing.assert_array_equal(grid[28:52, 98:124], error_map(target, edit))


@pytest.mark.parametrize(
    ("kind", "peak"),
    [
        ("TPU v5p", 459.0),
        ("TPU v5", 459.0),
        ("TPU v5 lite", 197.0),
        ("TPU v6 lite", 918.0),
        ("NVIDIA H100 80GB HBM3", 989.0),
        ("NVIDIA H200", 989.0),
        ("NVIDIA A100-SXM4-80GB", 312.0),
        ("cpu", None),
    ],
)
def test_peaks_follow_the_device_kind(kind, peak):
    assert peak_tflops(kind) == peak


def test_rates_are_per_second_and_per_device(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    workload = Workload(num_images=8, tflop=100.0, num_devices=2, peak_tflops=500.0)
    throughput = Throughput(workload)
    for _ in range(4):
        throughput.add_step(0.25)
    now[0] += 5.0
    throughput.skip(3.0)
    assert throughput.report() == {
        "images_per_second": 16.0,
        "seconds_per_step": 0.5,
        "input_wait_share": 0.5,
        "tflops_per_device": 100.0,
        "mfu": 0.2,
    }
    assert throughput.report() == {}


def test_an_unknown_peak_gives_no_utilisation():
    workload = Workload(num_images=1, tflop=1.0, num_devices=1, peak_tflops=None)
    throughput = Throughput(workload)
    throughput.add_step(0.0)
    assert "mfu" not in throughput.report()
