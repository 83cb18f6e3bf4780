"""Several processes of one process group, as a function call.

``run_ranks(fn, *arguments)`` calls ``fn(*arguments)`` on every rank and returns what each of them
returned, by rank. `fn` is a function at the top of any test file: the ranks load that file by its
path, so neither packages nor ``sys.path`` matter. Arguments and results are pickled: tensors and
plain values, no classes of the test file.
"""

import importlib.util
import inspect
import multiprocessing
import os
import pickle
import sys
import tempfile
import traceback
from functools import cache
from multiprocessing.connection import Connection, wait
from pathlib import Path

import torch
from torch import distributed as dist

PATIENCE = 600  # seconds until ranks that wait for one another are given up
# What a rank needs is imported once; a rank is a fork of a process without threads.
PRELOADED = ["torch.distributed", "raystudy.trial"]


class Ranks:
    """Processes that have joined one gloo group and wait for functions to run.

    Parameters
    ----------
    world_size : int
    """

    def __init__(self, world_size):
        self._folder = tempfile.TemporaryDirectory()
        server = multiprocessing.get_context("forkserver")
        server.set_forkserver_preload(PRELOADED)
        address = (Path(self._folder.name) / "rendezvous").as_uri()
        self._pipes, self._processes = [], []
        for rank in range(world_size):
            here, there = server.Pipe()
            process = server.Process(
                target=_serve, args=(there, address, rank, world_size), daemon=True
            )
            process.start()
            there.close()
            self._pipes.append(here)
            self._processes.append(process)

    def run(self, fn, *arguments):
        """Return what `fn` returned on every rank; raise if any of them raised."""
        task = pickle.dumps((inspect.getsourcefile(fn), fn.__qualname__, arguments))
        for pipe in self._pipes:
            pipe.send_bytes(task)
        results, waiting = {}, dict(zip(self._pipes, range(len(self._pipes)), strict=True))
        while waiting:
            ready = wait(list(waiting), timeout=PATIENCE)
            if not ready:
                raise TimeoutError(f"Ranks {sorted(waiting.values())} are still busy.")
            for pipe in ready:
                rank = waiting.pop(pipe)
                results[rank], error = pickle.loads(pipe.recv_bytes())
                if error:
                    raise RuntimeError(f"Rank {rank} raised:\n{error}")
        return [results[rank] for rank in sorted(results)]

    def close(self):
        """End the processes."""
        for process in self._processes:
            process.kill()
            process.join()
        self._folder.cleanup()


def _serve(pipe: Connection, address, rank, world_size):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=world_size)
    while True:
        try:
            source, name, arguments = pickle.loads(pipe.recv_bytes())
        except EOFError:  # the tests have ended
            return
        try:
            torch.manual_seed(0)
            answer = getattr(_load(source), name)(*arguments), ""
        except Exception:
            answer = None, traceback.format_exc()
        pipe.send_bytes(pickle.dumps(answer))


@cache
def _load(source):
    spec = importlib.util.spec_from_file_location(f"on_ranks_{Path(source).stem}", source)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
