"""What passes unchanged, and what is encoded again and why."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tbstar_jax.data_engine.collect.image_bytes import fit_image
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.images import decode_image
from tests.support.foreign_sets import encoded, photo

PHOTO = photo(5)
RAMP = np.arange(768).reshape(24, 32)


def with_alpha(levels):
    return np.dstack([PHOTO, np.broadcast_to(np.uint8(levels), PHOTO.shape[:2])])


def turned(orientation, kind, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(PHOTO, kind, exif=exif, **options)


@pytest.mark.parametrize(
    ("data", "codec"),
    [
        (encoded(PHOTO), "png"),
        (encoded(PHOTO, "JPEG", quality=90), "jpeg"),
        (encoded(PHOTO, "JPEG", quality=90, subsampling=0, progressive=True), "jpeg"),
        (encoded(PHOTO, "WEBP", lossless=True), "webp_lossless"),
        (encoded(PHOTO, "PNG", "L"), "png"),
        (encoded(PHOTO, "JPEG", "L"), "jpeg"),
        (encoded(with_alpha(255)), "png"),
        (turned(1, "JPEG"), "jpeg"),
    ],
)
def test_bytes_pass_unchanged(data, codec):
    fitted = fit_image(data)
    assert fitted.data == data
    assert fitted.codec == codec
    assert fitted.notes == ()


@pytest.mark.parametrize(
    ("data", "codec", "note"),
    [
        (encoded(PHOTO, "BMP"), "bmp", "bmp converted"),
        (encoded(PHOTO, "TIFF"), "tiff", "tiff converted"),
        (
            encoded(
                PHOTO, "PNG", save_all=True, append_images=[Image.new("RGB", (32, 24))]
            ),
            "png",
            "first frame of an animation",
        ),
    ],
)
def test_other_files_keep_every_pixel(data, codec, note):
    fitted = fit_image(data)
    assert (fitted.codec, fitted.notes) == (codec, (note,))
    np.testing.assert_array_equal(decode_image(fitted.data), PHOTO)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_orientation_is_applied_once(orientation, kind):
    turns = {
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, -1),
        7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
        8: lambda p: np.rot90(p),
    }
    fitted = fit_image(turned(orientation, kind))
    assert "exif orientation applied" in fitted.notes
    np.testing.assert_array_equal(decode_image(fitted.data), turns[orientation](PHOTO))


def test_a_turned_jpeg_is_stored_upright_without_another_loss():
    data = turned(6, "JPEG", quality=90)
    fitted = fit_image(data)
    shown = decode_image(data)
    assert shown.shape == (32, 24, 3)
    np.testing.assert_array_equal(decode_image(fitted.data), shown)
    assert Image.open(io.BytesIO(fitted.data)).getexif() == {}


def test_alpha_is_flattened_onto_white_or_kept():
    half = with_alpha(RAMP % 256)
    flat = fit_image(encoded(half))
    assert flat.notes == ("alpha flattened onto white",)
    np.testing.assert_array_equal(decode_image(flat.data), decode_image(encoded(half)))
    assert Image.open(io.BytesIO(flat.data)).mode == "RGB"
    kept = fit_image(encoded(half), keep_alpha=True)
    assert kept.data == encoded(half)
    assert kept.notes == ("alpha kept",)


def test_a_palette_keeps_its_colours_and_its_transparency():
    image = Image.fromarray(PHOTO).quantize(16)
    fitted = fit_image(encoded(image))
    assert fitted.notes == ("palette converted",)
    np.testing.assert_array_equal(
        decode_image(fitted.data), np.asarray(image.convert("RGB"))
    )
    data = encoded(image, "PNG", transparency=3)
    kept = fit_image(data, keep_alpha=True)
    assert kept.notes == ("palette converted", "alpha kept")
    alpha = np.asarray(Image.open(io.BytesIO(kept.data)).getchannel("A"))
    np.testing.assert_array_equal(alpha == 0, np.asarray(image) == 3)


def test_sixteen_bits_are_scaled_to_eight():
    levels = (RAMP * 85).astype(np.uint16)
    fitted = fit_image(encoded(Image.fromarray(levels)))
    assert fitted.notes == ("16 bit scaled to 8",)
    expected = np.round(levels / 257).astype(np.uint8)
    np.testing.assert_array_equal(decode_image(fitted.data)[..., 0], expected)


def test_a_colour_png_of_sixteen_bits_keeps_the_high_byte():
    high, low = PHOTO, PHOTO[::-1]
    raw = np.stack([high, low], axis=-1).reshape(24, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in raw)
    header = struct.pack(">IIBBBBB", 32, 24, 16, 2, 0, 0, 0)

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    data += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    fitted = fit_image(data)
    assert fitted.notes == ("16 bit, high byte taken",)
    np.testing.assert_array_equal(decode_image(fitted.data), high)


def test_cmyk_is_converted():
    image = Image.fromarray(PHOTO).convert("CMYK")
    fitted = fit_image(encoded(image, "TIFF"))
    assert fitted.notes == ("tiff converted", "cmyk converted")
    np.testing.assert_array_equal(
        decode_image(fitted.data), np.asarray(image.convert("RGB"))
    )
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    unfit = fit_image(encoded(image, "TIFF", icc_profile=profile))
    np.testing.assert_array_equal(decode_image(unfit.data), decode_image(fitted.data))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a readable image"),
        (b"<svg/>", "not a readable image"),
        (encoded(PHOTO)[:-300], "damaged or truncated"),
        (encoded(PHOTO, "JPEG")[:-60], "damaged or truncated"),
        (encoded(PHOTO, "AVIF")[:-60], "damaged or truncated|not a readable"),
        (encoded(PHOTO, "WEBP")[:-20], "damaged or truncated|not a readable"),
        (encoded(np.zeros((1, 16385), np.uint8)), "1 x 16385 pixels; at most 16384"),
    ],
)
def test_what_cannot_be_read_is_refused(data, message):
    with pytest.raises(UserError, match=message) as caught:
        fit_image(data)
    assert "\n" not in str(caught.value)
