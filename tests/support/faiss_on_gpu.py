"""A stand-in for faiss built for GPUs, and tensors that claim to be on one.

The tensors are of ``cuda:0`` to whoever asks and have no memory that could be read: what is done
with them is done to a tensor of the CPU within, but a copy to the host, or a question about a
value, is refused. The stand-in finds neighbours among them as faiss does, by faiss for CPUs, and
takes what faiss' own bridge to torch takes (``faiss.contrib.torch_utils``), no more.
"""

import inspect
import sys
import types

import faiss
import torch
from faiss.contrib.torch_utils import torch_replacement_knn_gpu
from torch.utils._pytree import tree_map

ASKING = ("_local_scalar_dense", "equal", "is_nonzero", "masked_select", "nonzero")
KNN_GPU = inspect.signature(torch_replacement_knn_gpu)


class OnGPU(torch.Tensor):
    """A tensor that claims to be on a GPU.

    Parameters
    ----------
    within : Tensor
        On the CPU: what it holds.
    """

    @staticmethod
    def __new__(cls, within):
        if not torch.cuda.is_available():
            torch._C._ensureCUDADeviceGuardSet()  # of no driver
        claimed = torch.Tensor._make_wrapper_subclass(
            cls, within.shape, strides=within.stride(), dtype=within.dtype, device="cuda:0"
        )
        claimed.within = within
        return claimed

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = func._schema.name.removeprefix("aten::")
        if name in ASKING or (name in ("_to_copy", "copy_") and _leaves(name, args, kwargs)):
            raise AssertionError(f"{name} copies from the GPU to the host.")
        if kwargs.get("device"):
            kwargs["device"] = torch.device("cpu")
        return tree_map(_claim, func(*tree_map(_open, args), **tree_map(_open, kwargs)))


def _leaves(name, args, kwargs):
    if name == "copy_":
        return not isinstance(args[0], OnGPU)
    return torch.device(kwargs.get("device") or "cuda").type == "cpu"


def _open(value):
    return value.within if isinstance(value, OnGPU) else value


def _claim(value):
    return OnGPU(value) if isinstance(value, torch.Tensor) else value


class StandardGpuResources:
    """Memory and streams of faiss."""

    def __init__(self):
        self.temporary = None

    def setTempMemory(self, size):  # noqa: N802
        """Take note of how much room there is."""
        self.temporary = size


def install(monkeypatch, *, gpus=1, capability=(8, 0)):
    """Put the stand-in in faiss' place, on a machine with a GPU of that kind.

    Returns a list that grows by the number of rows of each search.
    """
    searches = []

    def knn_gpu(*args, **kwargs):
        given = KNN_GPU.bind(*args, **kwargs).arguments
        rows, centroids = given["xq"], given["xb"]
        assert given["res"].temporary, "faiss would take 1.5 GiB"
        assert type(rows) is type(centroids), "arrays and tensors do not mix"
        assert len(rows), "bfKnn: numQueries must be > 0"
        rows, centroids = (_as_the_bridge_takes_it(one) for one in (rows, centroids))
        searches.append(len(rows))
        found = faiss.knn(rows.numpy(), centroids.numpy(), given["k"])
        distances, nearest = (torch.as_tensor(one) for one in found)
        found = distances, nearest.where(distances < torch.finfo().max, -1)  # of what is not finite
        return tuple(map(OnGPU, found)) if isinstance(given["xq"], OnGPU) else found

    names = {
        "get_num_gpus": lambda: gpus,
        "StandardGpuResources": StandardGpuResources,
        "knn_gpu": knn_gpu,
        **{name: getattr(faiss, name) for name in ("Kmeans", "omp_set_num_threads")},
    }
    stand_in = types.ModuleType("faiss")
    vars(stand_in).update(names)
    for name in ("faiss", "faiss.contrib", "faiss.contrib.torch_utils"):
        monkeypatch.setitem(sys.modules, name, stand_in)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr("trainables.clustering.send", _send)
    return searches


def _send(values, device):
    return OnGPU(values) if device.type == "cuda" else values  # memory is pinned by a driver


def _as_the_bridge_takes_it(values):
    assert isinstance(values, torch.Tensor), f"faiss would copy a {type(values).__name__}"
    assert values.is_contiguous()
    assert values.dtype == torch.float32
    return values.within if isinstance(values, OnGPU) else values
