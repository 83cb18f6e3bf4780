"""``raystudy pack``: a folder of images as files that training streams from."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from raystudy import terminal
from raystudy.errors import EXIT_DONE, UserError

if TYPE_CHECKING:  # torch takes its time
    from trainables.data.pack.encoding import Encoding
    from trainables.data.pack.layouts import Arrangement, Cutting
    from trainables.data.pack.sources import Source

Report = Callable[[int, int], None]


def pack_images(
    folder: str,
    out: str,
    overrides: Sequence[str] = (),
    *,
    size: int,
    quality: int,
    chroma: str,
    val_share: float,
    test_share: float,
    seed: int,
    threads: int | None,
) -> int:
    """Pack the images of a folder or a tar; a second call continues, or verifies what is there.

    Parameters
    ----------
    folder, out : str
    overrides : sequence of str
        Settings of ``scaling``; if there are any, images are encoded by Ray's tasks.
    size, quality : int
        Of the JPEGs.
    chroma : str
    val_share, test_share : float
        Cut out of the training images where they are not given.
    seed : int
        Of that cut.
    threads : int, optional
        As many as there are cores.
    """
    from trainables.data.pack.encoding import Encoding
    from trainables.data.pack.layouts import Cutting

    if threads is not None and threads < 1:
        raise UserError(f"--threads must be at least 1, got {threads}.")
    try:
        encoding = Encoding(short_side=size, quality=quality, chroma=chroma)  # type: ignore[arg-type]
        cutting = Cutting(val_share=val_share, test_share=test_share, seed=seed)
        on_ray = _on_ray(encoding, overrides)
        return _pack(_path(folder), _path(out), encoding, cutting, threads or _cores(), on_ray)
    except ValueError as error:
        raise UserError(" ".join(str(error).split())) from None


def _on_ray(encoding: "Encoding", overrides: Sequence[str]) -> AbstractContextManager[Any]:
    """Return what encodes by Ray's tasks; of nothing where no `scaling` is asked for."""
    if not overrides:
        return nullcontext()
    from raystudy.config.scaling import scaling_alone
    from raystudy.on_ray.packing import encoding_on_ray

    return encoding_on_ray(encoding, scaling_alone(overrides))


def _pack(
    source_path: Path,
    out: Path,
    encoding: "Encoding",
    cutting: "Cutting",
    cores: int,
    on_ray: AbstractContextManager[Any],
) -> int:
    from trainables.data.pack import checking
    from trainables.data.pack.layout import META, UNFINISHED, refuse_target
    from trainables.data.pack.layouts import arrange
    from trainables.data.pack.sources import open_source

    console = terminal.console(stderr=True)
    refuse_target(out, source_path)
    with _scratch(out) as scratch, open_source(source_path, scratch) as source:
        try:
            arrangement = arrange(source, cutting)
        except ValueError as error:
            raise UserError(f"{source_path} {error}") from None
        _announce(console, source_path, arrangement)
        started = time.monotonic()
        if any(out.glob(f"*/{META}")) and not (out / UNFINISHED).exists():
            if not checking.is_of(out, source, arrangement, encoding):
                raise UserError(
                    f"{out} is a pack of other images or with other settings; choose another "
                    f"folder, or remove it."
                )
            checking.add_names(out, arrangement)
            verb = "was packed before; verified"
        else:
            _write(console, source, source_path, arrangement, out, encoding, cores, on_ray)
            verb = "packed and verified"
    with _progress(console, "verifying") as report:
        checking.verify(out, threads=cores, progress=report)
    _conclude(console, out, verb, time.monotonic() - started)
    return EXIT_DONE


def _write(
    console: Console,
    source: "Source",
    path: Path,
    arrangement: "Arrangement",
    out: Path,
    encoding: "Encoding",
    cores: int,
    on_ray: AbstractContextManager[Any],
) -> None:
    from importlib.metadata import version

    from trainables.data.pack.writing import UnreadableImagesError, pack

    _foresee(console, source, arrangement, out, encoding, cores)
    origin = {"source": path.name, "made_by": f"raystudy {version('raystudy')}"}
    try:
        with on_ray as elsewhere, _progress(console, "packing") as report:
            pack(
                source,
                arrangement,
                out,
                encoding,
                origin=origin,
                threads=cores,
                progress=report,
                elsewhere=elsewhere,
            )
    except UnreadableImagesError as error:
        raise UserError(
            f"{path}: {error.found.counts.total():,} files are called images and are none: "
            f"{error.found}; repair or remove them and run this again, all others are packed."
        ) from None
    except KeyboardInterrupt:
        _say(console, "interrupted; what is packed is kept. Rerun the same command to continue.")
        raise


def _foresee(
    console: Console,
    source: "Source",
    arrangement: "Arrangement",
    out: Path,
    encoding: "Encoding",
    cores: int,
) -> None:
    """Print what it will take, and refuse what the disk has no room for."""
    from trainables.data.pack.estimate import estimate
    from trainables.data.pack.layout import IMAGES

    size, seconds = estimate(source, arrangement, encoding)
    there = out if out.exists() else out.parent
    packed = sum(file.stat().st_size for file in out.glob(f"*/{IMAGES}"))
    free = shutil.disk_usage(there).free
    if size - packed > free:
        raise UserError(
            f"the pack will take about {terminal.size(size)} and {there} has "
            f"{terminal.size(free)} free; choose another disk, or a smaller --size or --quality."
        )
    _say(
        console,
        f"about {terminal.size(size)} and {terminal.duration(seconds / cores)} on {cores} cores",
    )


def _announce(console: Console, path: Path, arrangement: "Arrangement") -> None:
    sizes = ", ".join(f"{len(part):,} {split}" for split, part in arrangement.images.items())
    _say(console, f"{path.name}: {sizes}; {len(arrangement.classes):,} classes")
    for note in arrangement.notes:
        _say(console, note)
    if arrangement.left_out.counts:
        left_out = arrangement.left_out
        _say(console, f"left out {left_out.counts.total():,}: {left_out}", style="yellow")


def _conclude(console: Console, out: Path, verb: str, seconds: float) -> None:
    from trainables.data.pack.layout import SPLITS, read_meta

    metas = [read_meta(out, split) for split in SPLITS]
    images, size = (sum(getattr(one, of) for one in metas) for of in ("images", "size_in_bytes"))
    rate = images / max(seconds, 1e-3)
    _say(
        console,
        f"{out}: {verb}, {images:,} images, {size / 1e9:.2f} GB, in {seconds:.0f} s "
        f"({rate:,.0f} images a second); train on it with data=packed data.root={out}",
    )


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)


@contextmanager
def _progress(console: Console, verb: str) -> Iterator[Report]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(verb, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """Yield where a compressed tar is expanded to: beside what is packed, where there is room."""
    folder = out.with_name(f".{out.name}.expanded")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser().resolve()
    except (RuntimeError, OSError, ValueError):  # nobody's home, links in a circle, no name at all
        raise UserError(f"{text} is no path that can be used.") from None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
