"""Near duplicates: what the hash sees, that all pairs are found, what is decided."""

import dataclasses
import hashlib
import itertools

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from skimage import data

from tbstar_jax.data_engine.annotate import status_of
from tbstar_jax.data_engine.collect.dedup import (
    DUPLICATE,
    decide,
    dedup_of,
)
from tbstar_jax.data_engine.collect.hash_index import (
    HashIndex,
    hash_records,
    with_hashes,
)
from tbstar_jax.data_engine.collect.near_hashes import near_pairs
from tbstar_jax.data_engine.collect.phash import chroma_signature, perceptual_hash
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError
from tests.input_pipeline.samples import make_record
from tests.support.foreign_sets import encoded


def photos():
    return {
        "astronaut": data.astronaut(),
        "coffee": data.coffee(),
        "cat": data.cat(),
        "rocket": data.rocket(),
    }


def distance(a, b):
    return int(np.bitwise_count(perceptual_hash(a) ^ perceptual_hash(b)))


def reopened(image, kind, **options):
    import io

    return np.asarray(
        Image.open(io.BytesIO(encoded(image, kind, **options))).convert("RGB")
    )


@pytest.mark.parametrize("name", ["astronaut", "coffee", "cat", "rocket"])
def test_copies_hash_alike_and_photos_do_not(name):
    photo = photos()[name]
    image = Image.fromarray(photo)
    half = image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)
    brighter = ImageEnhance.Brightness(image).enhance(1.1)
    for copy in (
        reopened(photo, "JPEG", quality=40),
        np.asarray(half),
        np.asarray(brighter),
    ):
        assert distance(photo, copy) <= 6
    assert distance(photo, photo) == 0
    others = [other for key, other in photos().items() if key != name]
    assert min(distance(photo, other) for other in others) >= 20


def test_a_flat_photo_hashes_to_nothing():
    for level in (0, 127, 255):
        assert perceptual_hash(np.full((40, 30, 3), level, np.uint8)) == 0


def test_colour_is_told_apart_though_the_hash_is_not():
    photo = data.coffee()
    other = photo.copy()
    other[..., 0], other[..., 2] = photo[..., 1], photo[..., 1]
    difference = chroma_signature(photo).astype(int) - chroma_signature(other)
    assert np.abs(difference).max() > 10
    assert chroma_signature(np.full((9, 9, 3), 200, np.uint8)).tolist() == [128] * 32


@pytest.mark.parametrize("max_distance", [0, 1, 3, 6, 8])
def test_all_near_pairs_are_found(max_distance):
    rng = np.random.default_rng(max_distance)
    centres = rng.integers(0, 2**64, 40, np.uint64)
    hashes = []
    for centre in centres:
        for flips in range(12):
            bits = rng.choice(64, flips, replace=False).astype(np.uint64)
            hashes.append(
                centre ^ np.bitwise_or.reduce(np.uint64(1) << bits, initial=0)
            )
    unique = np.unique(np.array(hashes, np.uint64))
    apart = np.bitwise_count(unique[:, None] ^ unique[None])
    first, second = np.nonzero(np.triu(apart <= max_distance, 1))
    expected = np.stack([first, second], axis=1)
    np.testing.assert_array_equal(near_pairs(unique, max_distance), expected)
    assert max_distance < 3 or len(expected) > 40


def test_four_exact_bands_would_miss_pairs():
    """Why the search takes 84 choices of blocks and not four bands of 16 bits."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 2**64, 300, np.uint64)
    flipped = base.copy()
    for k in range(300):
        bits = rng.choice(64, 6, replace=False).astype(np.uint64)
        flipped[k] ^= np.bitwise_or.reduce(np.uint64(1) << bits)
    bands = (base ^ flipped)[:, None] >> np.arange(0, 64, 16, dtype=np.uint64)
    shares_a_band = ((bands & np.uint64(0xFFFF)) == 0).any(axis=1)
    assert 0.5 < shares_a_band.mean() < 0.75
    both = np.unique(np.concatenate([base, flipped]))
    assert len(near_pairs(both, 6)) == 300


def test_a_large_group_is_compared_in_pieces(monkeypatch):
    from tbstar_jax.data_engine.collect import near_hashes

    hashes = np.unique(
        np.random.default_rng(0).integers(0, 2**12, 200).astype(np.uint64)
    )
    whole = near_pairs(hashes, 4)
    monkeypatch.setattr(near_hashes, "_CHUNK", 7)
    np.testing.assert_array_equal(near_pairs(hashes, 4), whole)
    assert len(whole) > 1000


def test_a_distance_out_of_range_is_named():
    with pytest.raises(UserError, match="must be 0 to 8"):
        near_pairs(np.zeros(1, np.uint64), 9)


def photo_record(key, image, kind="PNG", **options):
    return dataclasses.replace(
        make_record(0),
        key=key,
        source_images=(encoded(image, kind, **options),),
        target_image=b"",
        change_mask=b"",
        instructions_en=(),
        instructions_zh=(),
    )


def pair_record(key, image, request):
    return dataclasses.replace(
        make_record(0),
        key=key,
        source_images=(encoded(image),),
        instructions_en=(request,),
    )


@pytest.fixture(scope="module")
def index_of_records():
    coffee, cat = data.coffee(), data.cat()
    tinted = coffee.copy()
    tinted[..., 0], tinted[..., 2] = coffee[..., 1], coffee[..., 1]
    records = [
        photo_record("coffee", coffee),
        photo_record("cat", cat),
        photo_record("same file", coffee),
        photo_record("jpeg", coffee, "JPEG", quality=60),
        photo_record("tinted", tinted),
        photo_record("tinted again", tinted, "JPEG", quality=95),
        pair_record("pair", coffee, "recolour"),
        pair_record("pair 2", coffee, "brighten"),
        pair_record("pair 3", coffee, "recolour"),
    ]
    return hash_records(iter(records)), records


def test_first_is_kept_scenes_are_shared_and_edits_stay(index_of_records):
    index, _ = index_of_records
    decisions = decide(index)
    assert decisions.cluster.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert decisions.duplicate_of.tolist() == [-1, -1, 0, 0, -1, 4, -1, -1, 6]


def test_a_thumbnail_before_its_photo_is_the_duplicate():
    coffee = Image.fromarray(data.coffee())
    records = [
        photo_record("a thumbnail", np.asarray(coffee.resize((60, 40)))),
        photo_record("b photo", data.coffee()),
        photo_record("c thumbnail", np.asarray(coffee.resize((90, 60)))),
        photo_record("d photo", data.coffee(), "JPEG", quality=90),
    ]
    decisions = decide(hash_records(records))
    assert decisions.duplicate_of.tolist() == [1, -1, 1, 1]
    assert decisions.cluster.tolist() == [0, 0, 0, 0]


def test_without_a_colour_limit_a_variant_is_a_duplicate(index_of_records):
    index, _ = index_of_records
    assert decide(index, max_chroma=255).duplicate_of[4] == 0


def test_a_method_writes_scene_and_status(index_of_records, tmp_path):
    index, records = index_of_records
    path = tmp_path / "hashes.npz"
    method = dedup_of(records, path)
    assert method.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert method == dedup_of(records, path)
    rng = np.random.default_rng(0)
    with method.open() as transform:
        made = list(itertools.chain(*(transform(record, rng) for record in records)))
        (lost,) = transform(photo_record("new", data.cat()), rng)
    assert [status_of(one) for one in made] == [
        DUPLICATE if k in (2, 3, 5, 8) else "kept" for k in range(9)
    ]
    assert len({one.scene for one in made}) == 2
    assert made[3].provenance["duplicate_of"] == "coffee"
    assert made[1].scene == f"photo-{index.sha256[1].decode()[:24]}"
    assert isinstance(lost, Reject)
    assert method.fingerprint != dataclasses.replace(method, max_distance=5).fingerprint


def test_an_index_round_trips_and_a_foreign_file_is_named(index_of_records, tmp_path):
    index, _ = index_of_records
    index.save(tmp_path / "a.npz")
    read = HashIndex.load(tmp_path / "a.npz")
    for field in dataclasses.fields(HashIndex):
        np.testing.assert_array_equal(
            getattr(read, field.name), getattr(index, field.name)
        )
    (tmp_path / "b.npz").write_bytes(b"x")
    with pytest.raises(UserError, match="no index of hashes"):
        HashIndex.load(tmp_path / "b.npz")


def test_hashes_of_another_image_are_taken_anew(index_of_records):
    index, (first, second, *_) = index_of_records
    noted = with_hashes(first, data.coffee())
    moved = dataclasses.replace(second, provenance=noted.provenance)
    for records in ([first, second], [noted, moved]):
        again = hash_records(records)
        np.testing.assert_array_equal(again.phash, index.phash[:2])
        np.testing.assert_array_equal(again.chroma, index.chroma[:2])
    # The note is used where it is of the image: no decoder sees this one.
    header = first.source_images[0][:64]
    broken = dataclasses.replace(first, source_images=(header,))
    note = {
        **noted.provenance["hashes"],
        "sha256": hashlib.sha256(header).hexdigest(),
    }
    broken = dataclasses.replace(broken, provenance={"hashes": note})
    assert hash_records([broken]).phash[0] == index.phash[0]


def test_an_empty_index_decides_nothing():
    decisions = decide(hash_records([]))
    assert decisions.cluster.size == decisions.duplicate_of.size == 0


def test_fifty_thousand_rows_are_decided_exactly():
    """Planted near copies, and nothing else, are found among random hashes."""
    rng = np.random.default_rng(3)
    num, copies = 50_000, 500
    phash = rng.integers(0, 2**64, num, np.uint64)
    origin = rng.choice(num - copies, copies, replace=False)
    for k in range(copies):
        bits = rng.choice(64, k % 7, replace=False).astype(np.uint64)
        mask = np.bitwise_or.reduce(np.uint64(1) << bits, initial=0)
        phash[num - copies + k] = phash[origin[k]] ^ mask
    text = np.arange(num).astype("S64")
    index = HashIndex(
        keys=text.astype("U"),
        content=text,
        is_photo=np.ones(num, bool),
        sha256=text,
        phash=phash,
        chroma=np.full((num, 32), 128, np.uint8),
        num_pixels=np.ones(num, np.int64),
    )
    decisions = decide(index)
    expected = np.full(num, -1)
    expected[-copies:] = origin
    np.testing.assert_array_equal(decisions.duplicate_of, expected)
    expected[:-copies] = np.arange(num - copies)
    np.testing.assert_array_equal(decisions.cluster, expected)


def test_a_dense_group_is_decided_as_by_comparing_all():
    rng = np.random.default_rng(5)
    num = 400
    phash = np.full(num, 0x0F0F_1234_5678_9ABC, np.uint64)
    for _ in range(4):
        phash ^= np.uint64(1) << rng.integers(0, 64, num, np.uint64)
    chroma = rng.integers(120, 136, (num, 1), np.uint8).repeat(32, axis=1)
    text = np.arange(num).astype("S64")
    index = HashIndex(
        keys=text.astype("U"),
        content=text,
        is_photo=np.ones(num, bool),
        sha256=text,
        phash=phash,
        chroma=chroma,
        num_pixels=np.ones(num, np.int64),
    )
    expected = np.full(num, -1)
    for row in range(num):
        kept = np.flatnonzero(expected[:row] < 0)
        near = np.bitwise_count(phash[kept] ^ phash[row]) <= 6
        alike = np.abs(chroma[kept, 0].astype(int) - int(chroma[row, 0])) <= 3
        originals = kept[near & alike]
        expected[row] = originals[0] if len(originals) else -1
    decisions = decide(index, max_chroma=3)
    np.testing.assert_array_equal(decisions.duplicate_of, expected)
    assert 10 < (expected < 0).sum() < num // 2
