"""Checks of a cluster file from the laptop: Ray's validation, images, and whether a head runs."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from raystudy import terminal
from raystudy.cli.doctor.check import Check, show
from raystudy.errors import EXIT_DONE, EXIT_FAILED, UserError

PARAMETER = "resolve:ssm:"  # EC2 looks the image up when an instance starts
Lookup = Callable[[str], str]


def report(file: str, *, as_json: bool) -> int:
    """Print the checks of a cluster file; return 1 if any fails, so that no head is asked."""
    checks = check_file(Path(file))
    if as_json and any(check.verdict == "wrong" for check in checks):
        terminal.print_json([asdict(check) for check in checks])
    elif not as_json:
        for check in checks:
            show(terminal.console(), check)
    return EXIT_FAILED if any(check.verdict == "wrong" for check in checks) else EXIT_DONE


def check_file(path: Path) -> list[Check]:
    """Check that Ray takes a cluster file, that its images are there and that its head runs."""
    from raystudy.on_ray import launcher

    config = launcher.read_cluster(path)
    checks = [Check("cluster file", "well", f"{path}: Ray takes it")]
    if config["provider"]["type"] == "aws":
        checks += check_images(config["available_node_types"], *_aws(config["provider"]["region"]))
    if any(check.verdict == "wrong" for check in checks):
        return checks
    try:
        return [*checks, Check("head", "well", launcher.running_head(path).target)]
    except UserError as error:
        return [*checks, Check("head", "wrong", str(error))]


def check_images(
    node_types: Mapping[str, Mapping[str, Any]], parameter: Lookup, image: Lookup
) -> list[Check]:
    """Check that the image of each node type can be started.

    Parameters
    ----------
    node_types : mapping
        As in the cluster file.
    parameter : callable
        Return the image's id that a parameter of AWS holds; raise if there is none.
    image : callable
        Return an image's name by its id; raise if it cannot be started.
    """
    checks = []
    for name, node in node_types.items():
        title, wanted = f"image of {name}", node.get("node_config", {}).get("ImageId")
        if not wanted:
            found = "none is named; Ray would take Ubuntu 18.04, on which torch cannot be installed"
            checks.append(
                Check(title, "wrong", found, "set node_config.ImageId, as cluster.yaml has")
            )
            continue
        try:
            ami = parameter(wanted.removeprefix(PARAMETER)) if PARAMETER in wanted else wanted
            checks.append(Check(title, "well", f"{ami}, {image(ami)}"))
        except Exception as error:  # credentials, permissions, or it is gone
            advice = "check the credentials and the region; cluster.yaml says how an image is found"
            checks.append(
                Check(title, "wrong", f"{wanted}: {' '.join(str(error).split())}", advice)
            )
    return checks


def _aws(region: str) -> tuple[Lookup, Lookup]:
    try:
        import boto3
    except ImportError as error:
        raise UserError(
            f"--cluster: {error}; the machine you type at needs it: uv pip install 'raystudy[aws]'."
        ) from error

    def parameter(name: str) -> str:
        client = boto3.client("ssm", region_name=region)
        return str(client.get_parameter(Name=name)["Parameter"]["Value"])

    def image(ami: str) -> str:
        client = boto3.client("ec2", region_name=region)
        (found,) = client.describe_images(ImageIds=[ami])["Images"]
        if found["State"] != "available":
            raise ValueError(f"is {found['State']}")
        return f"{found['Name']}, of {found['CreationDate'][:10]}"

    return parameter, image
