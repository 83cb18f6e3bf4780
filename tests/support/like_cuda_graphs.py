"""A backend of torch.compile that asks on a CPU what CUDA graphs ask on a GPU.

A CUDA graph replays kernels with the addresses they were recorded with. So weights must stay where
they were, shapes must stay too, nothing may be drawn on the host, and what a step's graphs return
is overwritten in the next step: here by NaN. Torch's own rules of when a step begins apply.
"""

import itertools
import math

import torch
from torch._dynamo import register_backend
from torch._dynamo.backends.common import aot_autograd
from torch._functorch.aot_autograd import make_boxed_func
from torch._guards import TracingContext
from torch._inductor.cudagraph_trees import MarkStepBox

NAME = "like_cuda_graphs"


class Graphs:
    """What was compiled, and what of it has run since the last ``clear``.

    Attributes
    ----------
    passes : list of (int, tuple)
        Of each encoder pass the graph, which trials alike share, and the shape of its images.
    """

    def __init__(self):
        self._number = itertools.count()
        self.clear()

    def clear(self):
        """Forget another trial's passes and where its weights are."""
        self.passes, self._addresses = [], {}
        self._step, self._returned = MarkStepBox.mark_step_counter, []

    def of_encoders(self, graph, inputs):
        """Compile a whole pass forward, or what is fusible, which has no weights."""
        static = TracingContext.get().fw_metadata.static_input_indices
        if not static:
            return self._checked(graph, graph.forward)
        (images,) = {*range(len(inputs))} - {*static}
        number = next(self._number)

        def run(*values):
            self.passes.append((number, tuple(values[images].shape)))
            places = [values[index].data_ptr() for index in static]
            assert places == self._addresses.setdefault(number, places), "a weight has moved"
            return self._run(graph, values)

        return self._checked(graph, run)

    def of_gradients(self, graph, inputs):
        """Compile a pass back."""
        return self._checked(graph, lambda *values: self._run(graph, values))

    def _checked(self, graph, run):
        for node in graph.graph.nodes:
            if node.op == "placeholder":
                assert isinstance(node.meta["val"], torch.Tensor), f"{node} is a number"
                assert all(isinstance(size, int) for size in node.meta["val"].shape)
            tags = getattr(node.target, "tags", ())
            assert torch.Tag.nondeterministic_seeded not in tags, f"{node} draws"
        return make_boxed_func(run)

    def _run(self, graph, values):
        if self._step != MarkStepBox.mark_step_counter:
            for storage, dtype in self._returned:
                torch.empty(0, dtype=dtype).set_(storage).fill_(math.nan)
            self._step, self._returned = MarkStepBox.mark_step_counter, []
        results = graph.forward(*values)
        given = {value.untyped_storage().data_ptr() for value in values}
        for result in results:
            if isinstance(result, torch.Tensor) and result.is_floating_point():
                storage = result.untyped_storage()
                if storage.data_ptr() not in given:
                    self._returned.append((storage, result.dtype))
        return results


GRAPHS = Graphs()
register_backend(
    name=NAME,
    compiler_fn=aot_autograd(fw_compiler=GRAPHS.of_encoders, bw_compiler=GRAPHS.of_gradients),
)
