"""``raystudy cluster init``: the launcher's file for machines of one's own."""

import getpass
import re
import socket
import string
from collections.abc import Sequence
from pathlib import Path

import raystudy
from raystudy import on_ray
from raystudy.errors import EXIT_DONE, UserError

KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


def cluster(
    action: str,
    *,
    hosts: str,
    user: str | None = None,
    key: str | None = None,
    shared: str | None = None,
) -> int:
    """Print a cluster file for a list of machines, the first of which is the head."""
    assert action == "init"
    head, *workers = _addresses(hosts)
    template = Path(on_ray.__file__).with_name("machines.yaml").read_text()
    values = {
        "name": f"raystudy-{head.replace('.', '-')}",
        "head": head,
        "worker_list": ", ".join(workers),
        "workers": len(workers),
        "user": user or getpass.getuser(),
        "key": _key(key),
        "checkout": _checkout(),
        "shared": _shared(shared),
        "nfs": "head" if shared is None else "",
    }
    print(string.Template(template).substitute(values), end="")  # noqa: T201
    return EXIT_DONE


def _addresses(hosts: str) -> Sequence[str]:
    """Return the hosts' addresses: a name may mean the loopback on the host itself."""
    names = [name.strip() for name in hosts.split(",")]
    for name in names:
        if not re.fullmatch(r"[\w.-]+", name):
            raise UserError(
                f"--hosts: names or addresses between commas, such as 10.0.0.1,10.0.0.2, got "
                f"'{hosts}'" + ("; give the user by --user." if "@" in name else ".")
            )
    addresses = [_address(name) for name in names]
    twice = sorted({one for one in addresses if addresses.count(one) > 1})
    if twice:
        raise UserError(f"--hosts: {twice[0]} is there more than once in '{hosts}'.")
    if len(addresses) > 1 and any(one.startswith("127.") for one in addresses):
        raise UserError(f"--hosts: other machines cannot reach 127.0.0.1, which is in '{hosts}'.")
    return addresses


def _address(name: str) -> str:
    try:
        return socket.gethostbyname(name)
    except OSError as error:
        raise UserError(
            f"--hosts: '{name}' is unknown here ({error.strerror or error}); give its address."
        ) from error


def _key(given: str | None) -> Path:
    folder = Path.home() / ".ssh"
    keys = [Path(given).expanduser()] if given else [folder / name for name in KEYS]
    for key in keys:
        if key.is_file():
            return key.resolve()
    if given:
        raise UserError(f"--key: there is no file {keys[0]}.")
    raise UserError(f"--key: there is no {' or '.join(KEYS)} in {folder}; name the private key.")


def _checkout() -> Path:
    folder = Path(raystudy.__file__).resolve().parents[1]
    if (folder / "pyproject.toml").is_file() and (folder / ".git").exists():
        return folder
    raise UserError(
        f"the machines install what is sent to them, and {folder} is no checkout of raystudy; "
        f"install it in one by 'uv pip install -e .'."
    )


def _shared(given: str | None) -> str:
    if given is None:
        return "/shared"
    if not re.fullmatch(r"(/[\w.@+-]+)+/?", given):
        raise UserError(f"--shared: a path such as /shared, the same everywhere, got '{given}'.")
    return given.rstrip("/")
