"""From image files to pixels."""

import numpy as np
import pytest
from PIL import Image

from trainables.data.decoding import Decoder, check_memory


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
