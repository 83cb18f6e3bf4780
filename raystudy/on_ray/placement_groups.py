"""Give back what the workers of a trial hold when the trial's driver was killed.

Train leaves this to an actor that asks Ray's dashboard whether the driver lives; on a cluster
without a dashboard the workers' placement group would be held for as long as the study runs.
"""

from pathlib import Path

import ray
from ray.util.placement_group import PlacementGroup, remove_placement_group


def note_placement_group(path: Path) -> None:
    """Write down where the calling worker runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ray.util.get_current_placement_group().id.hex())


def release_placement_group(path: Path) -> None:
    """Remove the placement group that was written down, if there is one."""
    if path.exists():
        remove_placement_group(PlacementGroup(ray.PlacementGroupID.from_hex(path.read_text())))
        path.unlink()
