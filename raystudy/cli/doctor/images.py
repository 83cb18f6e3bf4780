"""Check of packed images: are they whole, and how fast can they be read?"""

from omegaconf import DictConfig

from raystudy.cli.doctor.check import Check
from raystudy.config.scaling import read_scaling
from raystudy.errors import UserError

PACKED = ("trainables.data.packed.", "trainables.data.imagenet.")


def is_packed(settings: DictConfig) -> bool:
    """Return whether the data are a pack."""
    return str(settings.data.splits._target_).startswith(PACKED)


def check_pack(settings: DictConfig) -> list[Check]:
    """Open the pack and read a few of its images on one core."""
    from raystudy.trial.build import load_splits
    from trainables.data.pack.estimate import reading_rate
    from trainables.data.pack.images import PackedImages

    try:
        on_cpu = settings.copy()
        on_cpu.device = "cpu"
        images = load_splits(on_cpu).train.images
    except UserError as error:
        return [Check("images", "wrong", str(error))]
    assert isinstance(images, PackedImages)
    cores = int(read_scaling(settings).cpus_per_worker)
    rate = reading_rate(images)
    found = (
        f"{len(images):,} train images; a core reads {rate:,.0f} a second for two views of each, "
        f"the {cores} of a worker about {rate * cores:,.0f}"
    )
    advice = "'raystudy plan' compares that with what training takes; scaling.cpus_per_worker"
    return [Check("images", "note", found, advice)]
