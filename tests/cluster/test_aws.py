"""``ray up cluster.yaml`` on an AWS that moto plays, from no node to a finished study.

Needs ``uv pip install 'moto[server]'``. A quarter of an hour.
"""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.cluster

KEYS = (
    "export AWS_ENDPOINT_URL=http://10.77.0.254:5555 AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x "
    "MOTO_IAM_LOAD_MANAGED_POLICIES=true RAY_enable_worker_prestart=0\n"
)
NODES = "w3", "w4", "w5"  # the first addresses of the subnet, each given once
SMALL = (
    "s/type: aws/type: aws\\n  use_internal_ips: true/; s/g5.12xlarge/g5.xlarge/; "
    "s/--object-manager-port=8076/& --memory=3000000000 --object-store-memory=200000000/; "
    "s/idle_timeout_minutes: 5/idle_timeout_minutes: 1/"
)


@pytest.fixture(scope="module")
def hosts(make_hosts):
    try:
        import moto  # noqa: F401
    except ImportError:
        pytest.skip("hosts made of namespaces: needs moto[server]")
    hosts = make_hosts(0)
    for host in NODES:
        hosts.do("add", host)
    for host, user in (("lap", "you"), *((node, "ubuntu") for node in NODES)):
        hosts.on(host, f"tee -a .profile .bash_aliases <<'END'\n{KEYS}END", user=user)
    script = Path(__file__).with_name("fake_aws.py").read_text()
    hosts.on("lap", f"cat > fake_aws.py <<'END'\n{script}END\n")
    hosts.on("lap", "(setsid venv/bin/python fake_aws.py > aws.log 2>&1 &)")
    hosts.wait_until(lambda: "ready" in hosts.on("lap", "cat aws.log"))
    hosts.on("lap", f"sed -i '{SMALL}' checkout/cluster.yaml")
    up = "cd checkout && ray up -y cluster.yaml; echo code $?"
    hosts.on("lap", f"(setsid bash -c '{up}' > up.log 2>&1 &)")
    hosts.wait_until(lambda: ".pem" in hosts.on("lap", "ls .ssh"))
    public = hosts.on("lap", "ssh-keygen -y -f .ssh/*.pem")
    for host in NODES:
        hosts.on(host, f"echo '{public.strip()}' >> .ssh/authorized_keys", user="ubuntu")
    hosts.wait_until(lambda: "code " in hosts.on("lap", "cat up.log"), 900)
    assert "code 0" in hosts.on("lap", "cat up.log"), hosts.on("lap", "tail -30 up.log")
    return hosts


def ask(hosts, words):
    return hosts.on("lap", f"cd checkout && raystudy --cluster cluster.yaml {words}")


def instances(hosts):
    code = "import boto3; ec2 = boto3.resource('ec2', region_name='us-west-2'); "
    code += "print(*[instance.state['Name'] for instance in ec2.instances.all()])"
    return hosts.on("lap", f'venv/bin/python -c "{code}"').split()


def test_only_ssh_is_open_to_the_world(hosts):
    code = "import boto3; groups = boto3.resource('ec2', region_name='us-west-2').security_groups; "
    code += "print(*[p.get('FromPort') for g in groups.all() if g.group_name.startswith('ray') "
    code += "for p in g.ip_permissions if p['IpRanges'] or p['Ipv6Ranges']])"
    assert hosts.on("lap", f'venv/bin/python -c "{code}"').split() == ["22"]


def test_doctor_says_that_the_image_is_not_known_here(hosts):
    with pytest.raises(AssertionError, match=r"bad +image of head +resolve:ssm:/aws"):
        ask(hosts, "doctor")


@pytest.mark.parametrize(
    "scaling", ["cluster_ddp scaling.num_workers=2", "cluster"], ids=["ddp", "one worker"]
)
def test_from_no_node_to_a_finished_study_and_to_no_node(hosts, scaling):
    assert instances(hosts).count("running") == 1
    printed = hosts.on(
        "w3",
        f"raystudy sweep swaro study.num_trials=2 max_epochs=3 scaling={scaling} "
        "scaling.use_gpu=false scaling.cpus_per_worker=1",
        user="ubuntu",
        patience_s=1200,
    )
    assert "waiting since" in printed
    assert "the autoscaler has been asked" in printed
    (study, *_) = json.loads(ask(hosts, "studies --json"))
    trials = json.loads(ask(hosts, f"status {study['study']} --json"))["trials"]
    assert [trial["state"] for trial in trials] == ["complete"] * 2
    assert "w3" not in {trial["host"] for trial in trials}
    hosts.wait_until(lambda: instances(hosts).count("running") == 1)


def test_ray_down_leaves_no_instance(hosts):
    hosts.on("lap", "cd checkout && ray down -y cluster.yaml")
    hosts.wait_until(lambda: set(instances(hosts)) == {"terminated"})
