"""What the process keeps."""

import subprocess
import sys

CODE = """
import resource, torch
from trainables.memory import keep_freed_memory
assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def use():
    return torch.ones(64 * 2**20 // 4).sum()
for _ in range(8):  # until the heap has found its shape
    use()
fetched = []
for _ in range(20):  # the system may take pages back at any moment, but not every time
    before = faults()
    use()
    fetched.append(faults() - before)
print(min(fetched))
"""


def test_large_blocks_are_not_fetched_anew():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    pages_of_a_block = 64 * 2**20 // 4096
    assert int(done.stdout) < pages_of_a_block / 2
