"""The script that measures on a GPU runs on a CPU, where there is nothing but torch."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHECK = "--device cpu --small --images 32 --batch 16 --pixels 8 --backend eager --enough 0"
ONLY = "k-means|PGD|a step|ResNet-18.*(float32|bfloat16|bfloat16, compiled: default)$"
BLOCKED = ("ray", "mlflow", "optuna", "hydra", "omegaconf", "faiss", "raystudy")


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    out = tmp_path_factory.mktemp("measured")
    code = f"""
import runpy, sys
for name in {BLOCKED!r}:
    sys.modules[name] = None
sys.path.insert(0, {str(HERE)!r})
sys.argv = ["measure.py", "--out", {str(out)!r}, "--only", {ONLY!r}, *{CHECK.split()!r}]
runpy.run_path({str(HERE / "measure.py")!r}, run_name="__main__")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=HERE.parents[1],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Self CPU" in (out / "profile.txt").read_text()
    return (out / "measured.md").read_text().splitlines()


def test_on_a_cpu_it_says_that_it_is_a_check(rows):
    assert rows[0].startswith("CPU, a check that all runs, small networks for the ResNets;")


@pytest.mark.parametrize("study", ["simclr", "msr", "rocl", "swaro", "fast_at"])
@pytest.mark.parametrize("how", ["float32", "bfloat16", "bfloat16, compiled: default"])
def test_every_epoch_is_measured(study, how, rows):
    start = f"| {study}, ResNet-18, an epoch | {how} | "
    (row,) = (row for row in rows if row.startswith(start))
    assert float(row.removeprefix(start).split("|")[0]) > 0


def test_nothing_failed_and_nothing_was_left_out(rows):
    assert len(rows) == 4 + 4 + 3 * 5
    assert not [row for row in rows if "failed" in row or "left out" in row]


def test_its_settings_are_the_recipes():
    spec = importlib.util.spec_from_file_location("recipes", HERE / "recipes.py")
    recipes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipes)
    written = recipes.compose()
    assert recipes.SETTINGS.read_text() == written, "run tests/gpu/measure.py --compose"
