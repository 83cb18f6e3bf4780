"""Threads that decode, which share a process with training."""

import functools
import threading
from concurrent.futures import ThreadPoolExecutor

import torch


@functools.cache
def pool(threads: int) -> ThreadPoolExecutor:
    """Return so many threads, the same ones for whoever asks in this process.

    Each works on an image of its own: torch must not spread that over further threads. What
    torch is set to in one thread also holds for all that first use it later, so this thread's own
    number is set again once all have started.
    """
    own, started = torch.get_num_threads(), threading.Barrier(threads + 1)

    def start() -> None:
        torch.set_num_threads(1)
        started.wait()

    executor = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    for _ in range(threads):  # one of them in each thread, as none ends before all have started
        executor.submit(start)
    started.wait()
    torch.set_num_threads(own)
    return executor
