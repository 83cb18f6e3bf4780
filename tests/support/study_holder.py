"""A process that holds a study, as a driver does."""

HOLDER = """
import signal, sys
from pathlib import Path
from raystudy.study.interrupt import pausable
from raystudy.storage.folders import StudyFolder
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with pausable(lambda: print("paused", flush=True)), StudyFolder(Path(sys.argv[1])).locked():
    print("held", flush=True)
    while True:
        signal.pause()
"""
