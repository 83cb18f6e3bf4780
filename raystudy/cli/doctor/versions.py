"""What is installed, and whether it fits together."""

import importlib.metadata
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from raystudy.cli.doctor.check import Check

Requires = Callable[[str], Sequence[str]]


WITHOUT_DASHBOARD = (
    "trials of several workers that are stopped keep their resources for ever",
    "uv pip install 'ray[default,train,tune]'",
)


def look() -> list[Check]:
    """Return Python, raystudy's requirements, and what does not fit together."""
    there: dict[str, str] = {
        canonicalize_name(one.metadata["Name"]): one.version
        for one in importlib.metadata.distributions()
        if one.metadata["Name"]
    }
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    checks = [Check("python", "well", found), *packages(there, _requires)]
    clashing = [*faiss_twice(there), *dashboard(there, _requires), *clashes(there, _requires)]
    return [*checks, *(clashing or [Check("versions", "well", "no pair known to do harm")])]


def packages(there: Mapping[str, str], requires: Requires) -> list[Check]:
    """Return a check of each package that raystudy asks for."""
    if "raystudy" not in there:
        advice = "uv pip install -e . in its folder; versions are not checked"
        return [Check("raystudy", "note", "not installed, only found on the path", advice)]
    checks = []
    for requirement in _read(requires("raystudy")):
        name, wanted = requirement.name, str(requirement.specifier)
        version = there.get(canonicalize_name(name))
        if version is None:
            advice = f"uv pip install '{name}{wanted}'"
            checks.append(Check(name, "wrong", "not installed", advice))
        elif _fits(requirement, version):
            checks.append(Check(name, "well", version))
        else:
            advice = f"raystudy wants {wanted}: uv pip install '{name}{wanted}'"
            checks.append(Check(name, "wrong", version, advice))
    return checks


def faiss_twice(there: Mapping[str, str]) -> list[Check]:
    """Return a check if two builds of faiss overwrite each other, which no requirement can say."""
    if not {"faiss-gpu", "faiss-cpu"} <= there.keys():
        return []
    found = f"{there['faiss-gpu']} and faiss-cpu overwrite each other's files"
    return [Check("faiss-gpu", "wrong", found, "uninstall both, then install one")]


def dashboard(there: Mapping[str, str], requires: Requires) -> list[Check]:
    """Return a check if Ray came without what its dashboard needs."""
    if "ray" not in there:
        return []
    needed = (one.name for one in _read(requires("ray"), "default"))
    absent = [name for name in needed if canonicalize_name(name) not in there]
    if not absent:
        return []
    harm, advice = WITHOUT_DASHBOARD
    found = f"has no dashboard ({', '.join(absent[:3])} absent): {harm}"
    return [Check("ray", "wrong", found, advice)]


def clashes(there: Mapping[str, str], requires: Requires) -> list[Check]:
    """Return what raystudy's packages ask of each other and do not get, such as torch of vision."""
    checks, seen, left = [], {"raystudy"}, ["ray", "torchvision", "mlflow", "optuna", "hydra-core"]
    left += [canonicalize_name(one.name) for one in _read(_or_none(requires, "raystudy", there))]
    while left:
        name = left.pop()
        if name in seen or name not in there:
            continue
        seen.add(name)
        for one in _read(requires(name)):
            other = canonicalize_name(one.name)
            version = there.get(other)
            left.append(other)
            if version is not None and not _fits(one, version):
                found = f"{there[name]} wants {one.name}{one.specifier}, there is {version}"
                advice = f"uv pip install --upgrade {name} '{one.name}'"
                checks.append(Check(name, "wrong", found, advice))
    return checks


def _or_none(requires: Requires, name: str, there: Mapping[str, str]) -> Sequence[str]:
    return requires(name) if name in there else ()


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
