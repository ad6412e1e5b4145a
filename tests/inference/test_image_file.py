"""Opening and saving photos: nothing is lost in silence or breaks on bad bytes."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tbstar_jax import geometry
from tbstar_jax.errors import UserError
from tbstar_jax.inference import image_file
from tbstar_jax.inference.composite import composite
from tbstar_jax.inference.image_file import open_image, save_image


def swapped_profile() -> bytes:
    """The sRGB profile with the places of its red and green primaries exchanged."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swap = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}
    table = bytearray(data)
    for at in range(132, 132 + 12 * data[131], 12):
        name = data[at : at + 4]
        table[at : at + 4] = swap.get(name, name)
    return bytes(table)


def grey_profile(gamma: float) -> bytes:
    """A minimal ICC v2 profile of a grey device with a pure power curve."""
    curve = struct.pack(">4s4xIH2x", b"curv", 1, round(gamma * 256))
    white = struct.pack(">4s4xiii", b"XYZ ", 63190, 65536, 54061)  # D50, s15Fixed16
    start = 128 + 4 + 2 * 12
    table = struct.pack(">I", 2)
    table += struct.pack(">4sII", b"kTRC", start, len(curve))
    table += struct.pack(">4sII", b"wtpt", start + len(curve), len(white))
    size = start + len(curve) + len(white)
    header = struct.pack(
        ">I4xI4s4s4s12x4s", size, 0x2100000, b"mntr", b"GRAY", b"XYZ ", b"acsp"
    )
    header += bytes(28) + struct.pack(">iii", 63190, 65536, 54061) + bytes(48)
    return header + table + curve + white


def noise(height, width, channels=3, seed=0):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def png_16_bit(path, color_type, channels):
    """Writes a 4x4 PNG with 16 bits per channel, which Pillow cannot write."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\0" + b"\x40\x00" * 4 * channels for _ in range(4))
    header = struct.pack(">IIBBBBB", 4, 4, 16, color_type, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_lossless_files_keep_mode_profile_alpha_and_exif(
    tmp_path, mode, channels, suffix
):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    pixels = noise(7, 5, channels)
    profile = swapped_profile() if mode != "L" else None
    Image.fromarray(pixels).save(
        tmp_path / f"in{suffix}", icc_profile=profile, exif=exif.tobytes()
    )
    source = open_image(tmp_path / f"in{suffix}")
    assert source.mode == mode
    assert save_image(tmp_path / f"out{suffix}", source.rgb, source) is None
    with Image.open(tmp_path / f"out{suffix}") as written:
        assert written.mode == mode
        assert written.info.get("icc_profile") == profile
        np.testing.assert_array_equal(np.asarray(written), pixels)
        assert written.getexif()[0x010F] == "Maker"
        assert written.getexif().get_ifd(0x8769)[0x9003] == "2020:01:01 00:00:00"
    assert image_file.share_identical_on_disk(tmp_path / f"out{suffix}", source) == 1.0
    assert sorted(tmp_path.iterdir()) == [
        tmp_path / f"in{suffix}",
        tmp_path / f"out{suffix}",
    ]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_orientation_is_applied_once_and_reset(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    pixels = noise(4, 6)
    Image.fromarray(pixels).save(tmp_path / f"in{suffix}", exif=exif)
    source = open_image(tmp_path / f"in{suffix}")
    np.testing.assert_array_equal(source.rgb, np.rot90(pixels, k=-1))
    save_image(tmp_path / f"out{suffix}", source.rgb, source)
    again = open_image(tmp_path / f"out{suffix}")
    np.testing.assert_array_equal(again.rgb, source.rgb)
    with Image.open(tmp_path / f"out{suffix}") as written:
        assert written.getexif().get(0x0112, 1) == 1


def test_the_model_sees_srgb_and_the_composite_the_own_profile(tmp_path):
    red = np.full((3, 3, 3), (200, 20, 20), np.uint8)
    Image.fromarray(red).save(tmp_path / "in.png", icc_profile=swapped_profile())
    source = open_image(tmp_path / "in.png")
    np.testing.assert_array_equal(source.rgb, red)
    assert source.srgb[0, 0, 1] > source.srgb[0, 0, 0]  # this profile's red is green


def test_a_grey_profile_is_used_both_ways_and_kept(tmp_path):
    profile = grey_profile(gamma=1.0)  # linear light: 55 of 255 is sRGB's 128
    Image.new("L", (3, 2), 55).save(tmp_path / "in.png", icc_profile=profile)
    source = open_image(tmp_path / "in.png")
    np.testing.assert_allclose(source.srgb.astype(int), 128, atol=1)
    np.testing.assert_array_equal(source.rgb, np.full((2, 3, 3), 55))
    edit = np.full((2, 3, 3), 188, np.uint8)  # half the light
    whole = np.full((2, 3), 255, np.uint8)
    result = composite(source, edit, whole, feather_px=0)
    np.testing.assert_allclose(result.astype(int), 128, atol=1)
    save_image(tmp_path / "out.png", result, source)
    with Image.open(tmp_path / "out.png") as written:
        assert (written.mode, written.info["icc_profile"]) == ("L", profile)


def test_a_profile_of_other_channels_is_refused(tmp_path):
    path = tmp_path / "in.png"
    Image.fromarray(noise(4, 4)).save(path, icc_profile=grey_profile(1.0))
    with pytest.raises(UserError, match="ICC profile that cannot be used"):
        open_image(path)


def test_a_phone_photo_with_a_second_picture_is_its_first(tmp_path):
    first, second = (Image.fromarray(noise(8, 8, seed=k)) for k in (1, 2))
    path = tmp_path / "in.jpg"
    first.save(path, format="MPO", save_all=True, append_images=[second])
    with Image.open(path) as expected:
        np.testing.assert_array_equal(open_image(path).rgb, np.asarray(expected))


def test_cmyk_with_a_profile_that_does_not_fit_converts_plainly(tmp_path):
    path = tmp_path / "in.jpg"
    ink = Image.fromarray(noise(8, 8)).convert("CMYK")
    ink.save(path, icc_profile=swapped_profile())
    source = open_image(path, convert=True)
    assert (source.mode, source.icc_profile) == ("RGB", None)


def test_an_srgb_profile_changes_no_pixel(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noise(9, 9)).save(tmp_path / "in.png", icc_profile=profile)
    source = open_image(tmp_path / "in.png")
    np.testing.assert_array_equal(source.srgb, source.rgb)


def test_the_model_sees_transparent_pixels_over_white(tmp_path):
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    source = open_image(tmp_path / "in.png")
    np.testing.assert_array_equal(source.srgb, [[[10, 20, 30], [255, 255, 255]]])
    np.testing.assert_array_equal(source.rgb, [[[10, 20, 30], [10, 20, 30]]])


def test_a_damaged_profile_is_refused_or_dropped(tmp_path):
    path = tmp_path / "in.png"
    Image.fromarray(noise(4, 4)).save(path, icc_profile=b"x" * 200)
    with pytest.raises(UserError, match=r"in.png .* ICC profile .* --convert"):
        open_image(path)
    assert open_image(path, convert=True).icc_profile is None


def palette(path):
    image = Image.fromarray(noise(4, 4)).quantize(4)
    image.save(path)
    return path


def keyed(path):
    Image.fromarray(noise(4, 4)).save(path, transparency=(1, 2, 3))
    return path


def cmyk(path):
    path = path.with_suffix(".tif")
    Image.fromarray(noise(4, 4)).convert("CMYK").save(path)
    return path


def frames(path):
    path = path.with_suffix(".gif")
    first, second = (Image.fromarray(noise(4, 4, seed=k)) for k in (1, 2))
    first.save(path, save_all=True, append_images=[second])
    return path


@pytest.mark.parametrize(
    ("make", "what", "mode"),
    [
        (palette, "palette", "RGB"),
        (keyed, "transparent colour", "RGBA"),
        (cmyk, "CMYK", "RGB"),
        (frames, "several frames", "RGB"),
        (lambda path: png_16_bit(path, 0, 1), "16 bits", "L"),
        (lambda path: png_16_bit(path, 2, 3), "16 bits", "RGB"),
        (lambda path: png_16_bit(path, 6, 4), "16 bits", "RGBA"),
    ],
)
def test_other_kinds_need_convert(tmp_path, make, what, mode):
    path = make(tmp_path / "in.png")
    with pytest.raises(UserError, match=f"{path.name} .*{what}.*--convert"):
        open_image(path)
    source = open_image(path, convert=True)
    assert source.mode == mode
    assert source.rgb.shape == (4, 4, 3)


def test_16_bit_levels_convert_to_their_8_bit_level(tmp_path):
    source = open_image(png_16_bit(tmp_path / "in.png", 0, 1), convert=True)
    assert (source.rgb == 64).all()  # 0x4000 of 0xffff


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_truncated_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"in{suffix}"
    Image.fromarray(noise(64, 64)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=rf"in\{suffix} is damaged or cut short"):
        open_image(path)


def test_files_above_the_size_limit_are_refused_before_decoding(tmp_path):
    Image.fromarray(noise(20, 20)).save(tmp_path / "in.png")
    with pytest.raises(UserError, match=r"limit of 0.0003 megapixels"):
        open_image(tmp_path / "in.png", max_pixels=300)


@pytest.mark.parametrize("side", [10_000, 60_000])  # Pillow warns; Pillow refuses
def test_a_decompression_bomb_is_refused(tmp_path, side):
    path = tmp_path / "bomb.png"
    Image.new("L", (1, 1)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"bomb.png .* 64 megapixels"):
        open_image(path)


def test_unknown_and_missing_files_are_refused(tmp_path):
    (tmp_path / "in.png").write_text("not an image")
    with pytest.raises(UserError, match=r"in.png is not an image"):
        open_image(tmp_path / "in.png")
    with pytest.raises(UserError, match=r"missing.png: No such file"):
        open_image(tmp_path / "missing.png")


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_a_lossy_output_warns_and_its_share_is_measured(tmp_path, suffix):
    source = image_file.source_from_array(noise(40, 40))
    warning = save_image(tmp_path / f"out{suffix}", source.rgb, source)
    assert warning is not None
    assert "lossy" in warning
    share = image_file.share_identical_on_disk(tmp_path / f"out{suffix}", source)
    assert share < 0.9


def test_the_input_is_never_overwritten(tmp_path):
    path = tmp_path / "in.png"
    Image.fromarray(noise(4, 4)).save(path)
    source = open_image(path)
    (tmp_path / "link.png").symlink_to(path)
    for output in (path, tmp_path / "link.png"):
        with pytest.raises(UserError, match="is the input photo"):
            save_image(output, source.rgb, source)


def test_outputs_that_cannot_be_written_are_refused(tmp_path):
    source = image_file.source_from_array(noise(4, 4))
    with pytest.raises(UserError, match=r"out.txt: the suffix must be one of .png"):
        save_image(tmp_path / "out.txt", source.rgb, source)
    with pytest.raises(UserError, match=r"no/out.png: there is no folder"):
        save_image(tmp_path / "no" / "out.png", source.rgb, source)
    pixels = noise(4, 4, 4)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    with pytest.raises(UserError, match="JPEG has no transparency"):
        save_image(tmp_path / "out.jpg", source.rgb, open_image(tmp_path / "in.png"))


def test_share_on_disk_counts_a_region_and_alpha(tmp_path):
    Image.fromarray(noise(4, 4, 4)).save(tmp_path / "in.png")
    source = open_image(tmp_path / "in.png")
    changed = source.rgb.copy()
    changed[0, 0] ^= 255
    save_image(tmp_path / "out.png", changed, source)
    out = tmp_path / "out.png"
    assert image_file.share_identical_on_disk(out, source) == 15 / 16
    region = np.zeros((4, 4), bool)
    region[0, :2] = True
    assert image_file.share_identical_on_disk(out, source, region) == 1 / 2


def test_masks_are_binary_and_have_the_canvas_size(tmp_path):
    levels = np.array([[0, 127, 128, 255]], np.uint8)
    Image.fromarray(levels).save(tmp_path / "m.png")
    mask = image_file.open_mask(tmp_path / "m.png", (1, 4))
    np.testing.assert_array_equal(mask, [[0, 0, 255, 255]])
    with pytest.raises(UserError, match=r"mask .* 4x1 pixels but the canvas has 1x4"):
        image_file.open_mask(tmp_path / "m.png", (4, 1))
    image_file.save_mask(tmp_path / "e.png", mask)
    with Image.open(tmp_path / "e.png") as written:
        np.testing.assert_array_equal(np.asarray(written), mask)
    with pytest.raises(UserError, match=r"a mask is written as .png"):
        image_file.save_mask(tmp_path / "e.jpg", mask)


def test_crops_and_canvases_carry_every_plane(tmp_path):
    pixels = noise(4, 5, 4)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    source = open_image(tmp_path / "in.png")
    plan = geometry.plan_outpaint((4, 5), (8, 9), (1, 2))
    placed, mask = image_file.outpaint_source(source, plan)
    assert placed.size == (8, 9)
    assert placed.alpha is not None
    assert (placed.alpha[mask == 255] == 255).all()
    cut = image_file.crop_source(placed, plan.photo)
    np.testing.assert_array_equal(np.dstack([cut.rgb, cut.alpha]), pixels)
