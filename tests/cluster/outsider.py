"""What answers a host that has no token: prints a JSON list, which should be empty."""

import concurrent.futures
import http.client
import json
import os
import socket
import sys
import urllib.request

PORTS = range(1, 65536)


def is_open(address):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(address) == 0


def page(address):
    """Return a page that is served, empty if none is."""
    host, port = address
    for path in ("", "metrics", "api/version"):
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/{path}", timeout=5) as answer:
                return f"http://{host}:{port}/{path}: {answer.status}"
        except (OSError, ValueError, http.client.HTTPException):
            continue
    return ""


def as_ray(host):
    """Return what Ray says to a driver with a token of its own making, empty if it refuses."""
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
    import ray
    from ray._raylet import GcsClient

    try:
        return f"Ray: {len(GcsClient(address=f'{host}:6379').get_all_node_info())} nodes"
    except (ray.exceptions.RayError, RuntimeError, ConnectionError):
        return ""


found = []
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    for host in sys.argv[1:]:
        addresses = [(host, port) for port in PORTS]
        answering = [
            a for a, there in zip(addresses, pool.map(is_open, addresses), strict=True) if there
        ]
        assert len(answering) > 3, "Ray does not run there"
        found += [one for one in map(page, answering) if one]
found += filter(None, [as_ray(sys.argv[1])])
print(json.dumps(found))  # noqa: T201
