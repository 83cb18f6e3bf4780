"""Operations of one training step outside the encoder. By hand:

``PYTHONPATH=tests/support python tests/benchmarks/operations.py [STUDY ...]``

Each recipe for CIFAR-10 with ResNet-18 on torch's meta device, so that nothing is computed; attacks
take two steps. Printed are all operations that torch dispatches and, of those, the ones that are a
kernel on a GPU (neither views nor allocations). The encoder's own are left out, its weights'
updates are not. With a study's name, its operations by name.
"""
# ruff: noqa: T201  (what it prints is what it is for)

import sys

from count_operations import of_step
from on_meta import settings_of, trainer_of

from raystudy.config import catalogue


def main():
    for study in sys.argv[1:] or catalogue.study_names():
        settings = settings_of(study, "encoder=resnet18", "trainer.clip_grad_norm=null")
        operations = of_step(trainer_of(settings))
        everything, kernels = (
            sum(counted.values()) for counted in (operations.by_name, operations.kernels)
        )
        print(f"{study:16s} {everything:6d} operations, {kernels:6d} of them kernels")
        if sys.argv[1:]:
            print("  " + ", ".join(f"{n} {name}" for name, n in operations.kernels.most_common()))


if __name__ == "__main__":
    main()
