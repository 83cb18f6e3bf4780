"""Checks of installed packages and whether their versions are compatible."""

import importlib.metadata
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from raystudy.cli.doctor.check import Check

Requires = Callable[[str], Sequence[str]]


FAISS_ON_GPUS = ("faiss-gpu-cu12", "faiss-gpu-cu11", "faiss-gpu")  # in the place of faiss-cpu
WITHOUT_DASHBOARD = (
    "stopped trials with several workers keep their resources forever",
    "uv pip install 'ray[default,train,tune]'",
)


def check_versions() -> list[Check]:
    """Check Python, raystudy's requirements, and packages that are incompatible."""
    installed: dict[str, str] = {
        canonicalize_name(one.metadata["Name"]): one.version
        for one in importlib.metadata.distributions()
        if one.metadata["Name"]
    }
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    checks = [Check("python", "well", found), *packages(installed, _requires)]
    conflicts = [
        *duplicate_faiss(installed),
        *missing_dashboard(installed, _requires),
        *unmet(installed, _requires),
    ]
    return [*checks, *(conflicts or [Check("versions", "well", "no incompatible packages")])]


def packages(installed: Mapping[str, str], requires: Requires) -> list[Check]:
    """Check each package that raystudy requires."""
    if "raystudy" not in installed:
        advice = "uv pip install -e . in its folder; versions are not checked"
        return [Check("raystudy", "note", "not installed, only on the path", advice)]
    checks = []
    for requirement in _read(requires("raystudy")):
        name, wanted = requirement.name, str(requirement.specifier)
        version = installed.get(canonicalize_name(name))
        if name == "faiss-cpu" and version is None:
            name = next(filter(installed.__contains__, FAISS_ON_GPUS), name)
            version = installed.get(name)
        if version is None:
            advice = f"uv pip install '{name}{wanted}'"
            checks.append(Check(name, "wrong", "not installed", advice))
        elif _fits(requirement, version):
            checks.append(Check(name, "well", version))
        else:
            advice = f"raystudy needs {wanted}: uv pip install '{name}{wanted}'"
            checks.append(Check(name, "wrong", version, advice))
    return checks


def duplicate_faiss(installed: Mapping[str, str]) -> list[Check]:
    """Report two builds of faiss that overwrite each other, which no requirement can express."""
    both = [name for name in FAISS_ON_GPUS if {name, "faiss-cpu"} <= installed.keys()]
    return [
        Check(
            name,
            "wrong",
            f"{installed[name]} and faiss-cpu overwrite each other's files",
            "uninstall both, then install one",
        )
        for name in both
    ]


def missing_dashboard(installed: Mapping[str, str], requires: Requires) -> list[Check]:
    """Report a Ray that lacks the packages of its dashboard."""
    if "ray" not in installed:
        return []
    needed = (one.name for one in _read(requires("ray"), "default"))
    missing = [name for name in needed if canonicalize_name(name) not in installed]
    if not missing:
        return []
    harm, advice = WITHOUT_DASHBOARD
    found = f"has no dashboard ({', '.join(missing[:3])} missing): {harm}"
    return [Check("ray", "wrong", found, advice)]


def unmet(installed: Mapping[str, str], requires: Requires) -> list[Check]:
    """Report requirements among raystudy's packages that are not met, such as torchvision's."""
    checks, visited, queue = (
        [],
        {"raystudy"},
        ["ray", "torchvision", "mlflow", "optuna", "hydra-core"],
    )
    queue += [
        canonicalize_name(one.name) for one in _read(_or_none(requires, "raystudy", installed))
    ]
    while queue:
        name = queue.pop()
        if name in visited or name not in installed:
            continue
        visited.add(name)
        for one in _read(requires(name)):
            other = canonicalize_name(one.name)
            version = installed.get(other)
            queue.append(other)
            if version is not None and not _fits(one, version):
                found = f"{installed[name]} needs {one.name}{one.specifier}, installed is {version}"
                advice = f"uv pip install --upgrade {name} '{one.name}'"
                checks.append(Check(name, "wrong", found, advice))
    return checks


def _or_none(requires: Requires, name: str, installed: Mapping[str, str]) -> Sequence[str]:
    return requires(name) if name in installed else ()


def _requires(name: str) -> Sequence[str]:
    return importlib.metadata.requires(name) or ()


def _read(texts: Sequence[str], extra: str = "") -> Iterator[Requirement]:
    """Yield the requirements that hold here; with an extra, those of the extra alone."""
    for text in texts:
        try:
            one = Requirement(text)
        except InvalidRequirement:
            continue
        holds = one.marker is None or one.marker.evaluate({"extra": extra})
        always = one.marker is None or one.marker.evaluate({"extra": ""})
        if holds and not (extra and always):
            yield one


def _fits(requirement: Requirement, version: str) -> bool:
    try:
        return requirement.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return True
