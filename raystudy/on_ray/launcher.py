"""A cluster that Ray's launcher runs: where its head is, and how ssh gets there."""

import contextlib
import io
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from raystudy.errors import UserError

# Addresses of clouds are used again by other machines, whose keys differ; Ray's launcher does so.
FORGETFUL = ("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={os.devnull}")
TRUSTING = ("-o", "StrictHostKeyChecking=accept-new")
ENDURING = ("-o", "ServerAliveInterval=15", "-o", "ConnectTimeout=20", "-o", "LogLevel=ERROR")


@dataclass(frozen=True)
class Head:
    """A running head node.

    Parameters
    ----------
    target : str
        ``user@address``.
    options : tuple of str
        What ssh must be given to get in.
    """

    target: str
    options: tuple[str, ...]

    def ssh(self, *words: str) -> list[str]:
        """Return an ssh command; options come before the target, a remote command after it."""
        flags = [word for word in words if word.startswith("-")]
        return ["ssh", *self.options, *flags, self.target, *words[len(flags) :]]


def read_cluster(path: Path) -> dict[str, Any]:
    """Return a cluster file, checked by Ray.

    Raises
    ------
    UserError
        If it is not there, no YAML or no cluster.
    """
    from ray.autoscaler._private.util import prepare_config, validate_config

    try:
        config = yaml.safe_load(path.read_text())
        with _silence():
            validate_config(prepare_config(config))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"--cluster: {path} cannot be read ({reason}).") from error
    except (Exception, SystemExit) as error:  # whatever its validator raises
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"--cluster: {path} is no cluster file of Ray's launcher ({reason})."
        ) from error
    return dict(config)


def running_head(path: Path) -> Head:
    """Return the head of the cluster that a file describes.

    Raises
    ------
    UserError
        If none runs, or the provider does not say.
    """
    config = read_cluster(path)
    if config["provider"]["type"] == "local":
        provider = config["provider"]
        return _head(
            provider.get("external_head_ip", provider["head_ip"]), config["auth"], TRUSTING
        )
    try:
        with _silence():
            address, auth = _found(config, path)
    except ImportError as error:
        raise UserError(
            f"--cluster: {error}; the machine you type at needs it: uv pip install 'raystudy[aws]'."
        ) from error
    except (Exception, SystemExit) as error:  # of the provider's library
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"--cluster: no head of {path} is found ({reason}); 'ray up {path}' starts one."
        ) from error
    return _head(address, auth, FORGETFUL)


def _found(config: dict[str, Any], path: Path) -> tuple[str, dict[str, str]]:
    """Return the address of the head and how to get in; also of one whose update was refused."""
    from ray.autoscaler import sdk
    from ray.autoscaler._private import commands

    config = sdk.bootstrap_config(config)
    where = config["provider"]
    provider = commands._get_node_provider(where, config["cluster_name"])
    node = commands._get_running_head_node(
        config, str(path), None, _provider=provider, _allow_uninitialized_state=True
    )
    inside = where.get("use_internal_ips", False)
    address = provider.internal_ip(node) if inside else provider.external_ip(node)
    return address, config["auth"]


def _head(address: str, auth: Mapping[str, str], trust: tuple[str, ...]) -> Head:
    options = [*trust, *ENDURING]
    if key := auth.get("ssh_private_key"):
        options += ["-i", os.path.expanduser(key), "-o", "IdentitiesOnly=yes"]  # noqa: PTH111
    if proxy := auth.get("ssh_proxy_command"):
        options += ["-o", f"ProxyCommand={proxy}"]
    return Head(f"{auth['ssh_user']}@{address}", tuple(options))


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what the launcher prints about its own work off the terminal."""
    out = io.StringIO()
    logging.disable(logging.INFO)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            yield
    finally:
        logging.disable(logging.NOTSET)
