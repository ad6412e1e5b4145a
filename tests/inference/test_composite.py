"""The composite: kept pixels are the photo's own bytes, whatever the file carried."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tbstar_jax.errors import UserError
from tbstar_jax.inference.composite import composite
from tbstar_jax.inference.image_file import open_image, save_image, source_from_array

CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}


def swapped_profile() -> bytes:
    """The sRGB profile with the places of its red and green primaries exchanged."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swap = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}
    table = bytearray(data)
    for at in range(132, 132 + 12 * data[131], 12):
        name = data[at : at + 4]
        table[at : at + 4] = swap.get(name, name)
    return bytes(table)


@st.composite
def photos(draw):
    size = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    return {
        "size": size,
        "mode": draw(st.sampled_from(sorted(CHANNELS))),
        "orientation": draw(st.integers(1, 8)),
        "has_profile": draw(st.booleans()),
        "feather_px": draw(st.integers(0, 6)),
        "seed": draw(st.integers(0, 2**16)),
    }


@given(photos())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_kept_pixels_are_bit_identical_through_the_png_on_disk(tmp_path, photo):
    rng = np.random.default_rng(photo["seed"])
    channels = CHANNELS[photo["mode"]]
    pixels = rng.integers(0, 256, (*photo["size"], channels), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = photo["orientation"]
    has_profile = photo["has_profile"] and photo["mode"] != "L"
    profile = swapped_profile() if has_profile else None
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(
        tmp_path / "in.png", exif=exif, icc_profile=profile
    )
    source = open_image(tmp_path / "in.png")
    edited = rng.integers(0, 256, (*source.size, 3), np.uint8)
    mask = np.where(rng.random(source.size) < rng.random(), 255, 0).astype(np.uint8)
    result = composite(source, edited, mask, photo["feather_px"])
    save_image(tmp_path / "out.png", result, source)

    # The reference is Pillow alone: decode, turn upright, compare with the output.
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    with Image.open(tmp_path / "in.png") as opened:
        upright = opened.copy()
    if photo["orientation"] in turn:
        upright = upright.transpose(turn[photo["orientation"]])
    with Image.open(tmp_path / "out.png") as written:
        assert written.mode == photo["mode"]
        assert written.info.get("icc_profile") == profile
        assert written.getexif()[0x0112] == 1
        after = np.asarray(written)
    before = np.asarray(upright)
    np.testing.assert_array_equal(after[mask == 0], before[mask == 0])
    if photo["mode"] == "RGBA":
        np.testing.assert_array_equal(after[..., 3], before[..., 3])


def test_without_feather_the_mask_shows_the_edit():
    source = source_from_array(np.zeros((3, 3, 3), np.uint8))
    edited = np.full((3, 3, 3), 90, np.uint8)
    mask = np.diag([255, 128, 127]).astype(np.uint8)
    result = composite(source, edited, mask, feather_px=0)
    np.testing.assert_array_equal(result[:, :, 0], np.diag([90, 90, 0]))


def test_the_feather_fades_inside_the_edit_region_only():
    source = source_from_array(np.zeros((1, 8, 3), np.uint8))
    edited = np.full((1, 8, 3), 200, np.uint8)
    mask = np.array([[0, 0, 255, 255, 255, 255, 255, 255]], np.uint8)
    result = composite(source, edited, mask, feather_px=3)
    expected = [[0, 0, 50, 100, 150, 200, 200, 200]]  # no fade at the image's border
    np.testing.assert_array_equal(result[:, :, 0], expected)


def test_a_full_mask_returns_the_edit():
    rng = np.random.default_rng(0)
    source = source_from_array(rng.integers(0, 256, (5, 6, 3), np.uint8))
    edited = rng.integers(0, 256, (5, 6, 3), np.uint8)
    mask = np.full((5, 6), 255, np.uint8)
    np.testing.assert_array_equal(composite(source, edited, mask), edited)


def test_the_edit_is_converted_into_the_photos_profile(tmp_path):
    Image.new("RGB", (2, 2), (10, 10, 10)).save(
        tmp_path / "in.png", icc_profile=swapped_profile()
    )
    source = open_image(tmp_path / "in.png")
    red = np.full((2, 2, 3), (200, 20, 20), np.uint8)
    result = composite(source, red, np.full((2, 2), 255, np.uint8), feather_px=0)
    np.testing.assert_allclose(result[0, 0].astype(int), (20, 200, 20), atol=2)


def test_a_grey_photo_stays_grey(tmp_path):
    Image.new("L", (2, 2), 10).save(tmp_path / "in.png")
    source = open_image(tmp_path / "in.png")
    red = np.full((2, 2, 3), (200, 0, 0), np.uint8)
    result = composite(source, red, np.full((2, 2), 255, np.uint8), feather_px=0)
    np.testing.assert_array_equal(result, np.full((2, 2, 3), 60))  # 0.299 * 200


def test_an_edit_of_another_size_is_refused():
    source = source_from_array(np.zeros((3, 4, 3), np.uint8))
    edit = np.zeros((4, 3, 3), np.uint8)
    with pytest.raises(UserError, match=r"the edit has 3x4 pixels .* 4x3"):
        composite(source, edit, edit[:, :, 0])
