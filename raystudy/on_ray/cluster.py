"""The Ray to run on: a local one for the length of a study, or an existing cluster."""

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import ray
from ray.job_config import JobConfig

from raystudy.config.scaling import Scaling
from raystudy.errors import StudyStalledError, UserError
from raystudy.on_ray import patience
from raystudy.on_ray.orphans import MARK, ending_orphans
from raystudy.terminal import announced, load

# For every process of the study. Ray reads these from the environment alone.
ENVIRONMENT = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths mean the same in a trial as where it was typed
    "PYTHONSAFEPATH": "1",  # no process imports from the folder the user works in
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "600",  # for a stopped trial to unwind in its warm actor
}
# For the driver: no output but ours, our own interrupts, nothing written that nobody reads.
DRIVER_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000000",  # the searcher counts by itself
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_THRESHOLD_S": "1000000000",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "0",
}
# For a Ray that is started here.
LOCAL_ENVIRONMENT = patience.LOCAL_ENVIRONMENT | {
    # Tune's actors have variables of their own: what Ray starts ahead of them is never used.
    "RAY_prestart_worker_first_driver": "0",
}
ABANDONED_AFTER_S = 60.0


@contextlib.contextmanager
def connected(scaling: Scaling) -> Iterator[None]:
    """Connect to Ray; one that was started here is ended with everything it left."""
    waits = patience.unless_set(patience.ENVIRONMENT)
    with _environment({**ENVIRONMENT, **DRIVER_ENVIRONMENT, **waits}), _no_node_messages():
        if ray.is_initialized():
            yield
        elif scaling.address is None:
            with _local(scaling):
                yield
        else:
            with _existing(scaling.address):
                if scaling.num_workers > 1 and "://" not in scaling.address:
                    _keep_coordinator_here()
                yield


def usable_cpus(scaling: Scaling) -> int:
    """Return the CPUs of this machine that trials may use, never more than there are."""
    there = min(len(os.sched_getaffinity(0)), int(ray._private.utils.get_num_cpus()))
    return min(there, scaling.num_cpus or there)


@contextlib.contextmanager
def _local(scaling: Scaling) -> Iterator[None]:
    with _temporary_folder() as temporary, _local_token(), ending_orphans(temporary):
        marked = {MARK: str(temporary), **patience.unless_set(LOCAL_ENVIRONMENT)}
        with (
            _signal_handlers_kept(),
            _loopback(),
            _environment(marked),
            _failure_named(temporary),
        ):
            patience.start(lambda: _init(scaling, temporary), temporary)
        temporary.chmod(0o700)  # Ray opens it to everybody
        try:
            yield
        finally:
            ray.shutdown()


def _init(scaling: Scaling, temporary: Path) -> None:
    ray.init(
        address="local",
        job_config=_without_working_folder(),
        num_cpus=usable_cpus(scaling),
        object_store_memory=scaling.object_store_mb * 2**20,
        # Trials of several workers are cleaned up after with the dashboard's help.
        include_dashboard=scaling.num_workers > 1,
        dashboard_host="127.0.0.1",
        logging_level=logging.CRITICAL,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=str(temporary),
    )


@contextlib.contextmanager
def _failure_named(temporary: Path) -> Iterator[None]:
    """Turn a failed start of Ray into one sentence."""
    start = time.monotonic()
    try:
        yield
    except Exception as error:
        took_s = time.monotonic() - start
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        free = shutil.disk_usage(temporary).free / 2**20
        raise StudyStalledError(
            f"Ray did not start on this machine in {took_s:.0f} s ({said}; {load()}, and "
            f"{free:.0f} MiB are free in {temporary.parent}). Look for the cause with "
            f"'raystudy doctor', then repeat the command."
        ) from error


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Make a folder for Ray's files and remove it, with those of drivers that were killed.

    Ray's sockets are in it, whose paths must stay below 108 characters. A living driver holds the
    lock in its folder.
    """
    parent = Path("/tmp")
    for left in parent.glob("raystudy-*/lock"):
        with contextlib.suppress(OSError), left.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent, ignore_errors=True)
    for left in parent.glob("raystudy-*"):
        # What a dying Ray wrote once more into a folder that was removed under it.
        with contextlib.suppress(OSError):
            known = {"lock", "unlocked"} & {entry.name for entry in left.iterdir()}
            if not known and time.time() - left.stat().st_mtime > ABANDONED_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="raystudy-", dir=parent))
    unlocked = folder / "unlocked"
    with unlocked.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        unlocked.rename(folder / "lock")
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _loopback() -> Iterator[None]:
    """Have Ray listen on 127.0.0.1 alone, which it does by itself on macOS and Windows only."""
    constants = ray._private.ray_constants
    before = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = False
    try:
        with _environment({constants.ENABLE_RAY_CLUSTERS_ENV_VAR: "0"}):
            yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


class _EmptyPath(list[str]):
    """A path that stays empty."""

    def extend(self, _: Iterable[str]) -> None:
        """Add nothing."""


def _without_working_folder() -> JobConfig:
    """Return a job whose workers import what is installed, and nothing from where this was typed.

    Ray would put the driver's working folder, and its script's, at the head of their paths.
    """
    job = JobConfig()
    job._py_driver_sys_path = _EmptyPath()
    return job


@contextlib.contextmanager
def _existing(address: str) -> Iterator[None]:
    waits = {name: os.environ[name] for name in patience.ENVIRONMENT}
    try:
        with _signal_handlers_kept(), announced(f"the Ray at '{address}'"):
            ray.init(
                address=address,
                # Ray's own client adds no folder, and knows no such argument.
                job_config=None if "://" in address else _without_working_folder(),
                logging_level=logging.CRITICAL,
                log_to_driver=False,
                runtime_env={"env_vars": {**ENVIRONMENT, **waits}},
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"scaling.address: no Ray cluster answers at '{address}' ({reason}); start one by "
            f"'ray start --head' or 'ray up cluster.yaml', or set scaling.address=null."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _keep_coordinator_here() -> None:
    """Start Ray Train's coordinator of requests for nodes on the node of this driver.

    It is started once for a cluster, by whoever needs it first, and never ends. By a trial, it
    would be on that trial's node, which the autoscaler could then never take for idle.
    """
    with contextlib.suppress(ImportError):  # a Ray that has moved it: studies run all the same
        from ray.data._internal.cluster_autoscaler import default_autoscaling_coordinator as ray_s

        ray_s.get_or_create_autoscaling_coordinator()


@contextlib.contextmanager
def _no_node_messages() -> Iterator[None]:
    """Keep what Ray's node processes say ("a worker died ...") off the console."""
    worker = ray._private.worker
    before = worker.print_to_stdstream
    worker.print_to_stdstream = lambda *_, **__: None
    try:
        yield
    finally:
        worker.print_to_stdstream = before


@contextlib.contextmanager
def _local_token() -> Iterator[None]:
    """Let only this study's processes talk to its Ray, without leaving a token in the home."""
    if {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        yield
    else:
        try:
            with _environment({"RAY_AUTH_TOKEN": secrets.token_hex(32)}):
                yield
        finally:
            os.environ.pop("RAY_AUTH_MODE", None)  # set by ray.init
            # Or this process would ask the next cluster for the token, too.
            ray._raylet.Config.initialize("")
            ray._raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    """Undo that ``ray.init`` takes SIGTERM for itself."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # not the main thread: Ray took nothing
            signal.signal(signal.SIGTERM, handler)
