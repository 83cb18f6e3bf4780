"""From image files to pixels."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from trainables.data.decoder import Decoder
from trainables.data.decoding import check_memory, decode, remarks


def colour(width, height):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def pixels(image):
    return np.asarray(image).transpose(2, 0, 1)


@pytest.mark.parametrize("ending", ["jpg", "JPEG", "png", "webp", "bmp", "tif", "gif", "ppm"])
def test_reads_common_formats(tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    Image.new("RGB", (4, 4), (255, 0, 0)).save(path)
    found = Decoder(image_size=None, channels=3, convert=False)(path)
    expected = np.broadcast_to(np.array([255, 0, 0]).reshape(3, 1, 1), (3, 4, 4))
    np.testing.assert_allclose(found, expected, atol=2)  # JPEG and WebP lose a little


def test_image_size_shortens_the_shorter_side_and_cuts_out_the_middle(tmp_path):
    image = colour(24, 8)
    image.save(tmp_path / "x.png")
    shortened = image.resize((12, 4), Image.Resampling.BILINEAR)
    found = Decoder(image_size=4, channels=3, convert=False)(tmp_path / "x.png")
    np.testing.assert_array_equal(found, pixels(shortened.crop((4, 0, 8, 4))))


def test_images_lie_as_the_camera_was_held(tmp_path):
    image, exif = colour(8, 8), Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "x.png", exif=exif)
    found = Decoder(image_size=None, channels=3, convert=False)(tmp_path / "x.png")
    np.testing.assert_array_equal(found, pixels(image)[:, ::-1].swapaxes(1, 2))


def test_grey_images_of_16_bits_are_scaled(tmp_path):
    levels = np.array([[0, 257], [128 * 257, 65535]], dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "x.png")
    found = Decoder(image_size=None, channels=1, convert=False)(tmp_path / "x.png")
    assert found.tolist() == [[[0, 1], [128, 255]]]


def test_more_pixels_than_memory():
    found = (
        r"data\.image_size: 1000000000 images of 512x400 pixels take 614400\.0 GB and this .* GB;"
    )
    with pytest.raises(ValueError, match=found):
        check_memory(10**9, (3, 400, 512))


GREY = Decoder(image_size=None, channels=1, convert=False)
COLOUR = Decoder(image_size=None, channels=3, convert=False)


def decoded(folder, decoder, **images):
    """Return the pixels of the images, saved in order under their names, and what is said."""
    for name, image in images.items():
        kind = "tiff" if name.startswith("tiff") else "png"
        image.save(folder / f"{name}.{kind}")
    files = sorted(path.name for path in folder.iterdir())
    found = decode(folder, files, decoder)
    return found["pixels"].tolist(), str(remarks(files, found))


def deep(*levels):
    return Image.fromarray(np.array([levels], dtype=np.uint16))


@pytest.mark.parametrize("kind", ["png", "tiff", "pgm"])
@pytest.mark.parametrize(("bits", "middle"), [(8, 100), (10, 402), (12, 1606), (14, 6425)])
def test_greys_are_scaled_by_the_bits_that_all_use_together(tmp_path, kind, bits, middle):
    white = 2**bits - 1
    deep(0, white).save(tmp_path / f"a.{kind}")
    deep(middle, 0).save(tmp_path / f"b.{kind}")
    found = decode(tmp_path, [f"a.{kind}", f"b.{kind}"], GREY)
    assert found["pixels"].tolist() == [[[[0, 255]]], [[[middle * 255 // white, 0]]]]
    assert str(remarks(["a", "b"], found)) == (
        f"2 x grey of more than 8 bits, white taken as {white}, which none exceeds ('a', 'b')"
    )


def test_greys_that_use_16_bits_are_as_they_were(tmp_path):
    pixels, said = decoded(tmp_path, GREY, a=deep(0, 257, 65535), b=deep(4095, 0, 0))
    assert pixels == [[[[0, 1, 255]]], [[[15, 0, 0]]]]
    assert said == ""


def test_greys_of_8_bits_beside_deeper_ones_keep_their_own_white(tmp_path):
    pixels, _ = decoded(tmp_path, GREY, a=Image.new("L", (1, 1), 100), b=deep(4095))
    assert pixels == [[[[100]]], [[[255]]]]


def test_greys_of_32_bits_are_scaled_not_clipped(tmp_path):
    image = Image.fromarray(np.array([[0, 131_072, 262_143]], dtype=np.int32))
    assert decoded(tmp_path, GREY, tiff=image)[0] == [[[[0, 127, 255]]]]


def test_a_pgm_that_tells_its_white_is_believed(tmp_path):
    (tmp_path / "x.pgm").write_bytes(b"P2 2 1 4095 0 1000")
    found = decode(tmp_path, ["x.pgm"], GREY)
    assert found["pixels"].tolist() == [[[[0, 1000 * 255 // 4095]]]]
    assert not remarks(["x.pgm"], found).counts


def test_a_deep_grey_whose_0_is_white_is_turned_round(tmp_path):
    image = deep(0, 65535)
    image.save(tmp_path / "x.tiff", tiffinfo={262: 0})
    assert GREY(tmp_path / "x.tiff").tolist() == [[[255, 0]]]


def test_numbers_below_0_are_no_greys(tmp_path):
    Image.fromarray(np.array([[-5, 5]], dtype=np.int32)).save(tmp_path / "x.tiff")
    with pytest.raises(ValueError, match=r"'x\.tiff' holds numbers below 0"):
        decode(tmp_path, ["x.tiff"], GREY)


def test_colours_of_12_in_16_bits_are_refused_not_black(tmp_path):
    # Pillow writes no such PNG: one row of one pixel, by hand.
    def chunk(kind, data):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    def png(*levels):
        head = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
        row = zlib.compress(b"\0" + struct.pack(">3H", *levels))
        parts = chunk(b"IHDR", head) + chunk(b"IDAT", row) + chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + parts

    (tmp_path / "a.png").write_bytes(png(100, 2000, 4095))
    with pytest.raises(ValueError, match=r"'a.png', use 12 bits at most"):
        decode(tmp_path, ["a.png"], COLOUR)
    (tmp_path / "b.png").write_bytes(png(0, 0, 65535))
    found = decode(tmp_path, ["a.png", "b.png"], COLOUR)["pixels"]
    assert found[1].flatten().tolist() == [0, 0, 255]


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_what_is_transparent_is_laid_on_white(tmp_path, mode):
    if mode == "P":
        image = Image.new("P", (2, 1), 1)
        image.putpalette([0, 0, 0, 9, 9, 9])
        image.putpixel((0, 0), 0)
        image.info["transparency"] = 0
    else:
        image = Image.new(mode, (2, 1), (0, 0) if mode == "LA" else (0, 0, 0, 0))
        image.putpixel((1, 0), (9, 255) if mode == "LA" else (9, 9, 9, 255))
    decoder = GREY if mode == "LA" else COLOUR
    pixels, said = decoded(tmp_path, decoder, x=image)
    assert pixels[0] == [[[255, 9]]] * len(pixels[0])
    assert said == "1 x image transparent in parts, laid on white ('x.png')"


def test_an_alpha_channel_that_hides_nothing_changes_nothing(tmp_path):
    image = colour(4, 4)
    whole = image.convert("RGBA")
    found, said = decoded(tmp_path, COLOUR, x=whole)
    assert found[0] == pixels(image).tolist()
    assert said == ""


@pytest.mark.parametrize("kind", ["gif", "tiff", "png", "webp"])
def test_of_several_frames_the_first_is_read(tmp_path, kind):
    frames = [Image.new("RGB", (8, 8), shade) for shade in ("red", "lime", "blue")]
    frames[0].save(tmp_path / f"x.{kind}", save_all=True, append_images=frames[1:])
    found = decode(tmp_path, [f"x.{kind}"], COLOUR)
    assert found["pixels"][0].float().mean(dim=(1, 2)).tolist() == pytest.approx([255, 0, 0], abs=5)
    said = str(remarks(["x"], found))
    assert said == "1 x image of several frames, the first of which is read ('x')"


@pytest.mark.parametrize("mode", ["1", "CMYK", "YCbCr"])
def test_reads_other_ways_to_store_an_image(tmp_path, mode):
    Image.new("RGB", (8, 8), "white").convert(mode).save(tmp_path / "x.tiff")
    decoder = GREY if mode == "1" else COLOUR
    assert (decoder(tmp_path / "x.tiff") >= 254).all()


def test_an_empty_file_is_called_empty(tmp_path):
    (tmp_path / "x.png").touch()
    with pytest.raises(ValueError, match=r"^is not a readable image \(an empty file\)$"):
        COLOUR(tmp_path / "x.png")
