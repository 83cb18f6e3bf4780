"""Settings with which a study trains on a few images of two classes."""

from raystudy.config import compose

# What a study has for many images, brought to few.
OWN = {
    "labels.fraction=1.0": "labels.fraction",
    "labels.images_per_class=2": "labels.images_per_class",
    "clusters.num_clusters=4": "clusters.num_clusters",
    "method.queue_size=16": "method.queue_size",
}


def of_few_images(study):
    """Return the overrides that a study needs."""
    known = compose.settings(study)
    return [text for text, path in OWN.items() if path in known]
