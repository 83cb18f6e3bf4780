"""``raystudy doctor``: run all checks; the exit code is 1 if any fails."""

from collections.abc import Sequence
from dataclasses import asdict

from omegaconf import DictConfig

from raystudy import terminal
from raystudy.cli.commands.arguments import optional_study
from raystudy.cli.doctor import images, machine, results, services, versions
from raystudy.cli.doctor.check import Probe, run_all, show
from raystudy.config import compose
from raystudy.config.import_path import PATIENCE_S
from raystudy.config.output_dir import folder_of
from raystudy.config.scaling import read_scaling
from raystudy.errors import EXIT_DONE, EXIT_FAILED

LIMIT_S = PATIENCE_S + 30.0  # for all checks together; each has a shorter limit


def doctor(
    study: str | None, overrides: Sequence[str], search_path: Sequence[str] = (), *, as_json: bool
) -> int:
    """Print every check; return 1 if any fails.

    Parameters
    ----------
    study : str, optional
        Its name; also check that its output fits on disk. A setting is taken as an override.
    overrides : sequence of str
    search_path : sequence of str
        The user's folders of studies.
    as_json : bool
    """
    study, overrides = optional_study("doctor", study, overrides)
    if study:
        settings = compose.load(study, overrides, search_path)
    else:
        settings = compose.load_shared(overrides)
    console, checks = terminal.console(), []
    for check in run_all(all_probes(settings, study), LIMIT_S):
        checks.append(check)
        if not as_json:
            show(console, check)
    if as_json:
        terminal.print_json([asdict(check) for check in checks])
    return EXIT_FAILED if any(check.verdict == "wrong" for check in checks) else EXIT_DONE


def all_probes(settings: DictConfig, study: str | None) -> dict[str, Probe]:
    """Return all probes by name, in the order they are printed."""
    output_dir = folder_of(settings)
    scaling = read_scaling(settings)
    probes: dict[str, Probe] = {
        "versions": versions.check_versions,
        "devices": machine.check_devices,
        "k-means": machine.check_kmeans,
        "torch.compile": lambda: machine.check_compiler(settings.trainer.compile),
        "results": lambda: results.check_results(output_dir),
        "shared memory": lambda: machine.check_shared_memory(scaling.object_store_mb * 2**20),
        "Ray's folder": machine.check_ray_folder,
        "tracker": lambda: services.check_tracker(settings),
        "study.storage": lambda: services.check_database(settings.study.storage),
        "all-reduce": machine.check_all_reduce,
        "ray": lambda: services.check_ray(scaling),
    }
    if images.is_packed(settings):
        probes["images"] = lambda: images.check_pack(settings)
    if study:
        probes["disk"] = lambda: results.check_disk_for(settings, study, output_dir)
    return probes
