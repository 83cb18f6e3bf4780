"""AWS on the laptop, by moto: one subnet, whose first addresses are those of hosts w3 and w4.

Typed as ``python fake_aws.py``; it serves until it is killed.
"""

import time

import boto3
from moto.server import ThreadedMotoServer

REGION = "us-west-2"

server = ThreadedMotoServer(ip_address="10.77.0.254", port=5555, verbose=False)
server.start()
ec2 = boto3.resource("ec2", region_name=REGION)
for subnet in list(ec2.subnets.all()):
    subnet.delete()
vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")
ec2.create_subnet(VpcId=vpc.id, CidrBlock="10.77.0.0/24", AvailabilityZone=f"{REGION}a")
print("ready", flush=True)  # noqa: T201
while True:
    time.sleep(3600)
