"""Who may import whom."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLATFORM = ("ray", "mlflow", "optuna", "hydra", "omegaconf", "faiss", "raystudy")
BELOW_METHODS = ("losses", "attacks", "augment", "networks", "optim")
# Where private attributes of a library are used: what to look at when it has a new release.
PRIVATE = (
    "raystudy/config/compose.py",  # OmegaConf
    "raystudy/config/hydra_files.py",  # Hydra
    "raystudy/config/override.py",  # Hydra
    "raystudy/config/value_types.py",  # Hydra, OmegaConf
    "raystudy/search/trial_scheduler.py",  # Optuna
    "raystudy/study/prior.py",  # Optuna
    "raystudy/study/ledger.py",  # Optuna
    "raystudy/trackers/mlflow/client.py",  # MLflow
    "raystudy/trackers/mlflow/transaction.py",  # MLflow
    "raystudy/trackers/mlflow/contact.py",  # the standard library's ssl
)
# The rooms of raystudy/: a file imports from its own room and from rooms of a larger rank.
RANKS = {
    "cli": 0,
    "interface": 1,
    "reproduce": 2,
    **dict.fromkeys(("report", "confirm", "evaluation"), 3),
    **dict.fromkeys(("on_ray", "trackers"), 4),
    "study": 5,
    "search": 6,
    "trial": 7,
    "config": 8,
    "storage": 9,
    **dict.fromkeys(("terminal", "errors"), 10),
}


def imported(path):
    """Yield the full names a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def files(package):
    return sorted((ROOT / package).rglob("*.py"))


def module_of(path):
    """Return the dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module):
    return module.split(".")[1] if "." in module else None


def arrows(source, module, known):
    """Yield (line, imported module) for each import of a known module, at any depth of a file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # relative: counted from the file's own package
                base = ".".join([*module.split(".")[: -node.level], *filter(None, [base])])
            inside = [f"{base}.{alias.name}" for alias in node.names]
            found = [name if name in known else base for name in inside]
        else:
            continue
        yield from ((node.lineno, name) for name in found if name in known and name != module)


def upward(sources):
    """Return `file:line` of every import that points to a room of no larger rank."""
    found = []
    for module, (place, source) in sources.items():
        for line, other in arrows(source, module, sources):
            rooms = room_of(module), room_of(other)
            if None in rooms or rooms[0] == rooms[1]:
                continue
            if RANKS[rooms[1]] <= RANKS[rooms[0]]:
                found.append(f"{place}:{line} imports {other}, of {rooms[1]}, into {rooms[0]}")
    return found


def circles(sources):
    """Return, for every import that closes a circle of files, its `file:line`."""
    graph = {
        module: {other: line for line, other in arrows(source, module, sources)}
        for module, (_, source) in sources.items()
    }
    found = []
    for module, imports in graph.items():
        for other, line in imports.items():
            seen, waiting = set(), [other]
            while waiting:
                one = waiting.pop()
                seen.add(one)
                waiting += graph[one].keys() - seen
            if module in seen:
                found.append(f"{sources[module][0]}:{line} imports {other}, which imports it")
    return found


@pytest.fixture(name="sources", scope="module")
def read_sources():
    return {
        module_of(path): (str(path.relative_to(ROOT)), path.read_text())
        for path in files("raystudy")
    }


@pytest.mark.parametrize("path", files("trainables"), ids=lambda path: str(path.relative_to(ROOT)))
def test_trainables_know_nothing_of_the_platform(path):
    allowed = {"faiss"} if path.name == "clustering.py" else set()
    found = {name.split(".")[0] for name in imported(path)} & set(PLATFORM)
    assert found <= allowed


@pytest.mark.parametrize("path", files("trainables/methods"), ids=lambda path: path.stem)
def test_methods_import_no_methods(path):
    others = {name for name in imported(path) if name.startswith("trainables.methods.")}
    assert others <= {"trainables.methods.base"}


@pytest.mark.parametrize("folder", BELOW_METHODS)
def test_what_methods_are_made_of_does_not_import_them(folder):
    for path in files(f"trainables/{folder}"):
        for name in imported(path):
            assert not name.startswith(("trainables.methods", "trainables.data")), path


def test_every_file_of_raystudy_is_in_a_room(sources):
    assert {room_of(module) for module in sources} - {None} == set(RANKS)


def test_no_import_points_to_a_room_of_no_larger_rank(sources):
    assert upward(sources) == []


def test_no_file_imports_in_a_circle(sources):
    assert circles(sources) == []


def test_an_import_that_points_up_is_found_with_its_line():
    sources = {
        "raystudy.study.a": ("a.py", "import os\n\ndef f():\n    from raystudy.cli import b\n"),
        "raystudy.cli.b": ("b.py", "from raystudy.study.a import f\n"),
    }
    assert upward(sources) == ["a.py:4 imports raystudy.cli.b, of cli, into study"]
    assert circles(sources) == [
        "a.py:4 imports raystudy.cli.b, which imports it",
        "b.py:1 imports raystudy.study.a, which imports it",
    ]


def test_rooms_of_one_rank_do_not_import_each_other():
    sources = {
        "raystudy.report.a": ("a.py", "from ..confirm.b import f\n"),
        "raystudy.confirm.b": ("b.py", "def f(): ...\n"),
    }
    assert upward(sources) == ["a.py:1 imports raystudy.confirm.b, of confirm, into report"]


def private_uses(tree):
    """Yield (line, name) of each private attribute of another's object, and private import."""
    own = {
        node.name if isinstance(node, ast.FunctionDef) else node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        or (isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node))
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and "._" in f".{node.module}" and node.level == 0:
            yield node.lineno, node.module
        if not isinstance(node, ast.Attribute) or not re.fullmatch("_[a-z]\\w*[a-z]", node.attr):
            continue
        if not is_own(node) and node.attr not in own | {"_asdict", "_exit"}:
            yield node.lineno, node.attr


def is_own(node):
    if isinstance(node.value, ast.Call):
        return getattr(node.value.func, "id", None) == "super"
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


OTHERS = [
    path
    for path in files("raystudy")
    if path.parent.name != "on_ray" and str(path.relative_to(ROOT)) not in PRIVATE
]


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_attributes_of_libraries_are_used_where_a_release_of_theirs_is_looked_at(path):
    assert list(private_uses(ast.parse(path.read_text()))) == []


def test_only_on_ray_imports_ray():
    for path in files("raystudy"):
        if "on_ray" not in path.parts:
            assert "ray" not in {name.split(".")[0] for name in imported(path)}, path


def test_swaro_trains_where_there_is_nothing_but_torch():
    code = f"""
import sys
for name in {PLATFORM!r}:
    sys.modules[name] = None
import torch
from trainables.attacks.balls import LinfBall
from trainables.attacks.clusters import ClusterAttack
from trainables.attacks.pgd import PGD
from trainables.augment.pipeline import Pipeline
from trainables.data.batches import ShuffledBatches
from trainables.data.image_set import ImageSet
from trainables.methods.swaro import SwARo
from trainables.networks.small_conv import SmallConv
from trainables.optim.lars import LARS
from trainables.optim.schedules import WarmupCosine
from trainables.trainer import Trainer, TrainerOptions

train = ImageSet(torch.randint(0, 256, (16, 1, 8, 8)).to(torch.uint8), torch.arange(16) % 2)
method = SwARo(
    encoder=SmallConv(channels=1, widths=[4, 8], mean=[0.5], std=[0.5]),
    projector_width=8, embedding_width=4, augment=Pipeline(),
    attack=PGD(ball=LinfBall(epsilon=0.1), step_size=0.02, steps=2),
    clusters=ClusterAttack(num_clusters=3, probability=1.0, warmup=0.0),
    temperature=0.5, regularisation=0.01,
)
trainer = Trainer(
    method=method, optimizer=lambda p: LARS(p, lr=0.1), lr_schedule=WarmupCosine(),
    train=train, batches=ShuffledBatches(train, batch_size=8, seed=0), max_epochs=1,
    options=TrainerOptions(),
)
(result,) = trainer.epochs()
assert result.metrics["train/cluster_batches"] == 1
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr


def loaded_with(module):
    """Return all that importing a module imports, the project's own modules and libraries."""
    places = {module_of(path): path for path in (*files("raystudy"), *files("trainables"))}
    loaded, waiting = set(), {module}
    while waiting:
        loaded.add(one := waiting.pop())
        if one not in places:
            continue
        for node in ast.parse(places[one].read_text()).body:
            if isinstance(node, ast.Import):
                waiting |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                waiting |= {node.module, *(inside & places.keys())}
        waiting -= loaded
    return loaded


def test_a_study_starts_without_torchvision_and_torchs_compiler():
    loaded = loaded_with("raystudy.cli.sweep") | loaded_with("raystudy.trial.run")
    assert "trainables.data.fingerprint" in loaded
    assert not {name for name in loaded if name.split(".")[0] == "torchvision"}
    assert not {name for name in loaded if name.startswith(("torch._dynamo", "torch._inductor"))}


@pytest.mark.parametrize(
    "room", ["cli", "interface", "reproduce", "report", "confirm", "evaluation", "study"]
)
def test_commands_name_no_tracker(room):
    """They ask the protocol of `study.tracker`: another tracker is a class and a YAML."""
    console = "raystudy.trackers.console"  # what a terminal shows is theirs
    trackers = {
        module_of(path)
        for path in files("raystudy/trackers")
        if path.stem not in ("__init__", "factory", "console")
    }
    named = {
        f"{path.name}: {name}"
        for path in files(f"raystudy/{room}")
        if path.stem != "notebook"  # whose `mlflow_runs` is about MLflow
        for name in imported(path)
        if any(name == one or one.startswith(f"{name}.") for one in trackers)
        and name not in ("raystudy", "raystudy.trackers", console)
    }
    assert named == set()
