"""What a process of a trial may compute on."""

import os

from raystudy.config.scaling import Scaling
from raystudy.errors import UserError


def use_devices(scaling: Scaling) -> None:
    """Give this process the threads and the GPU that its trial was given, and no other.

    Raises
    ------
    UserError
        If torch does not see the GPU.
    """
    if not scaling.use_gpu:  # Ray leaves a process that was given no GPU all there are
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch

    torch.set_num_threads(max(1, int(scaling.cpus_per_worker)))
    if not scaling.use_gpu:
        return
    if not torch.cuda.is_available():
        raise UserError(
            f"scaling.use_gpu: Ray gave a trial a GPU that torch {torch.__version__} does not "
            f"see; install a torch built for its driver, or set scaling.use_gpu=false."
        )
    if scaling.num_workers > 1:  # Ray Train shows each worker the GPUs of all on its node
        from ray.train.torch import get_device

        torch.cuda.set_device(get_device())
