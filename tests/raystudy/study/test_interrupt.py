"""Signals end gracefully at first."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from raystudy.study.interrupt import graceful, pausable


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_the_first_signal_asks_for_the_end_and_says_how_the_process_ends(number, code, capsys):
    before, asked = signal.getsignal(number), []
    with graceful(lambda: asked.append(True)) as interruption:
        os.kill(os.getpid(), number)
    assert asked == [True]
    assert interruption.exit_code == code
    assert "once more to kill" in capsys.readouterr().err
    assert signal.getsignal(number) is before


def test_the_second_signal_kills():
    code = (
        "import os, signal\nfrom raystudy.study.interrupt import graceful\n"
        "with graceful(lambda: None, lambda: print('killed', flush=True)):\n"
        "    for _ in range(2):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('goes on')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "killed\n")


def test_a_pause_is_no_end():
    before, asked = signal.getsignal(signal.SIGUSR2), []
    with pausable(lambda: asked.append(True)):
        os.kill(os.getpid(), signal.SIGUSR2)
    assert asked == [True]
    assert signal.getsignal(signal.SIGUSR2) is before


def test_signals_are_left_alone_outside_the_main_thread():
    raised = []

    def use():
        try:
            with graceful(lambda: None), pausable(lambda: None):
                pass
        except ValueError as error:
            raised.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert raised == []
