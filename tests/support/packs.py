"""Packs of a few images."""

from trainables.data.pack.encoding import Encoding
from trainables.data.pack.layouts import Cutting, arrange
from trainables.data.pack.sources import open_source
from trainables.data.pack.writing import pack


def packed_folder(folder, out, **encoding):
    """Pack a folder of images and return where it is."""
    with open_source(folder, out) as source:
        pack(
            source,
            arrange(source, Cutting()),
            out,
            Encoding(**encoding),
            origin={"source": "test", "made_by": "test"},
            threads=1,
            progress=lambda *_: None,
        )
    return out
