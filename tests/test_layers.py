"""Who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLATFORM = ("ray", "mlflow", "optuna", "hydra", "omegaconf", "faiss", "raystudy")
BELOW_METHODS = ("losses", "attacks", "augment", "networks", "optim")


def imported(path):
    """Yield the full names a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def files(package):
    return sorted((ROOT / package).rglob("*.py"))


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
