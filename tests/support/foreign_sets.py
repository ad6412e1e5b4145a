"""Tiny sets in the conventions of others, and how a test collects them."""

import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tbstar_jax.data_engine.collect.collect_stage import CollectStage
from tbstar_jax.data_engine.collect.source import SourceSpec
from tbstar_jax.data_engine.stage import Reject


def photo(seed, size=(24, 32)):
    """Smooth colours that differ from seed to seed; `[h w 3]` uint8."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
    return np.asarray(small.resize((size[1], size[0]), Image.Resampling.BICUBIC))


def encoded(pixels, kind="PNG", mode=None, **options):
    """Pixels, or an image of Pillow, as a file."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, format=kind, **options)
    return buffer.getvalue()


def png(seed, size=(24, 32)):
    return encoded(photo(seed, size))


def jpeg(seed, size=(24, 32)):
    return encoded(photo(seed, size), "JPEG", quality=95)


def write_files(root, files):
    """Writes files named by paths relative to a folder."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return root


def write_jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in rows
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_parquet(path, rows, rows_per_group=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=rows_per_group)


def write_tar(path, members):
    """Writes members in order: name and content, or a ready `TarInfo`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(data))


def as_struct(data, path=None):
    """How the Hugging Face hub stores an image in parquet."""
    return {"bytes": data, "path": path}


def collect(source, **settings):
    """All records and all rejects of a source, in order."""
    sources = (source,) if isinstance(source, SourceSpec) else tuple(source)
    stage = CollectStage(sources=sources, **settings)
    made = []
    with stage.open() as work:
        for unit in stage.units():
            made += work(unit)
    records = [one for one in made if not isinstance(one, Reject)]
    return records, [one for one in made if isinstance(one, Reject)]
