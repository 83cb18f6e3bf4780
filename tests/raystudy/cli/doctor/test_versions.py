"""Incompatible versions are reported, others are not."""

import importlib.metadata

import pytest

from raystudy.cli.doctor import versions

GOOD = {
    "raystudy": "0.1.0",
    "ray": "2.60.0",
    "aiohttp-cors": "0.8",
    "torch": "2.15.0",
    "torchvision": "0.30.0",
    "optuna": "5.0.0",
    "mlflow": "3.17.2",
    "hydra-core": "1.3.8",
    "grpcio": "1.80.0",
    "faiss-cpu": "1.15.0",
}
REQUIRES = {
    "raystudy": [
        "ray[default]<2.61,>=2.60",
        "optuna<6,>=5.0",
        "hydra-core<1.4,>=1.3.8",
        "grpcio!=1.48.0,!=1.52.0,!=1.55.0",
        "torchvision",
        "faiss-cpu>=1.13",
        "pytest; extra == 'dev'",
        "colorama; sys_platform == 'none'",
    ],
    "ray": ["aiohttp_cors; extra == 'default'"],
    "torchvision": ["torch==2.15.0", "gdown>=4; extra == 'gdown'"],
}


def requires(name):
    return REQUIRES.get(name, [])


def found(there):
    checks = [
        *versions.packages(there, requires),
        *versions.duplicate_faiss(there),
        *versions.missing_dashboard(there, requires),
        *versions.unmet(there, requires),
    ]
    return {
        check.name: f"{check.found}; {check.advice}" for check in checks if check.verdict == "wrong"
    }


def test_compatible_versions_pass():
    assert found(GOOD) == {}
    assert [check.name for check in versions.packages(GOOD, requires)] == [
        "ray",
        "optuna",
        "hydra-core",
        "grpcio",
        "torchvision",
        "faiss-cpu",
    ]


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"optuna": "2.10.1"}, "optuna", "raystudy needs <6,>=5.0"),
        ({"optuna": None}, "optuna", "not installed"),
        ({"hydra-core": "1.4.0rc3"}, "hydra-core", "raystudy needs <1.4,>=1.3.8"),
        ({"grpcio": "1.48.0"}, "grpcio", "raystudy needs !=1.48.0"),
        ({"grpcio": "1.52.0"}, "grpcio", "raystudy needs !=1.48.0"),
        ({"faiss-cpu": None}, "faiss-cpu", "not installed"),
        ({"faiss-cpu": None, "faiss-gpu-cu12": "1.8"}, "faiss-gpu-cu12", "raystudy needs >=1.13"),
        ({"faiss-gpu-cu12": "1.14.1"}, "faiss-gpu-cu12", "overwrite each other's files"),
        ({"faiss-gpu": "1.7.2"}, "faiss-gpu", "overwrite each other's files"),
        ({"aiohttp-cors": None}, "ray", "has no dashboard (aiohttp_cors missing)"),
        ({"torch": "2.14.1"}, "torchvision", "0.30.0 needs torch==2.15.0, installed is 2.14.1"),
    ],
)
def test_an_incompatible_version_is_reported_with_a_fix(changes, name, words):
    there = {key: value for key, value in (GOOD | changes).items() if value is not None}
    assert words in found(there)[name]
    assert not found(there)[name].endswith("; ")


@pytest.mark.parametrize(
    "changes",
    [
        {"faiss-gpu-cu12": "1.14.1.post1", "faiss-cpu": None},
        {"aiohttp-cors": None, "ray": None},
    ],
)
def test_half_of_a_bad_pair_does_no_harm(changes):
    there = {key: value for key, value in (GOOD | changes).items() if value is not None}
    assert set(found(there)) <= {"ray"}
    assert "dashboard" not in found(there).get("ray", "")


def test_a_raystudy_that_is_only_on_the_path_is_noted():
    (only,) = versions.packages({"torch": "2.15.0"}, importlib.metadata.requires)
    assert (only.name, only.verdict) == ("raystudy", "note")


def test_what_is_installed_here_is_read():
    checks = versions.check_versions()
    assert checks[0].name == "python"
    assert checks[-1].name == "versions"
