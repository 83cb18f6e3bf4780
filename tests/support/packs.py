"""Packs of a few images."""

from trainables.data.pack.encoding import Encoding
from trainables.data.pack.layouts import Arrangement, Cutting, Image, arrange
from trainables.data.pack.sources import Stamp, open_source
from trainables.data.pack.writing import pack
from trainables.data.tally import Tally


def packed_folder(folder, out, **encoding):
    """Pack a folder of images and return where it is."""
    with open_source(folder, out) as source:
        return _packed(source, arrange(source, Cutting()), out, **encoding)


def packed_images(images, classes, out):
    """Pack ``{split: [(name, label, file)]}`` and return where it is."""
    files = {name: file for part in images.values() for name, _, file in part}
    parts = {split: [Image(name, n) for name, n, _ in part] for split, part in images.items()}
    return _packed(_Files(files), Arrangement(parts, classes, Tally()), out)


def _packed(source, arrangement, out, **encoding):
    pack(
        source,
        arrangement,
        out,
        Encoding(**encoding),
        origin={"source": "test", "made_by": "test"},
        threads=1,
        progress=lambda *_: None,
    )
    return out


class _Files:
    def __init__(self, files):
        self._files = files
        self.files = {name: Stamp(len(file), 0) for name, file in files.items()}

    def read(self, name):
        return self._files[name]
