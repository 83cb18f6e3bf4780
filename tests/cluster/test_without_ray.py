"""A bed's short form for CI: all that `ray up` does on a head but for Ray itself."""

import re

import pytest

ONLY = "  - bash ~/raystudy-upload/raystudy/on_ray/node.sh before_head\n"


@pytest.fixture(scope="module")
def hosts(make_hosts):
    hosts = make_hosts(0)
    init = "raystudy cluster init --hosts 10.77.0.1 --shared /shared"
    printed = hosts.on("lap", init)
    start = r"(?<=head_start_ray_commands:\n)(.*\n)*?(?=# By hand)"
    hosts.on("lap", f"cat > machines.yaml <<'END'\n{re.sub(start, ONLY, printed)}END\n")
    hosts.on("lap", "ray up -y machines.yaml")
    return hosts


def test_the_head_has_the_checkout_its_commit_and_a_private_token(hosts):
    commit = "git -C {} rev-parse HEAD"
    sent = hosts.on("lap", commit.format("checkout"))
    assert hosts.on("head", commit.format("raystudy-src")) == sent
    assert hosts.on("head", "stat -c %a .ray .ray/auth_token").split() == ["700", "600"]


def test_the_head_answers_the_laptop(hosts):
    assert "no studies here yet" in hosts.on("lap", "raystudy --cluster machines.yaml studies")
