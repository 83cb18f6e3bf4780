"""A pytest plugin: a test that is skipped fails, unless its reason is one of these."""

import os

import pytest

EXPECTED = [
    "torch sees a GPU",  # the test is about a machine on which it sees none
    "hosts made of namespaces",  # root, namespaces and sshd, which few machines have
    "needs the shell",  # bash, zsh or fish: whose completion it tries
    "needs umap-learn",  # numba compiles it for over a minute of CPU: not worth it in `dev`
]
if os.name == "nt":  # both are modules of Unix
    EXPECTED += ["could not import 'fcntl'", "could not import 'resource'"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return _failed_if_unexpected((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return _failed_if_unexpected((yield))


def _failed_if_unexpected(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        _, _, text = report.longrepr
        reason = text.removeprefix("Skipped: ")
        if not reason.startswith(tuple(EXPECTED)):
            report.outcome = "failed"
            report.longrepr = (
                f"skipped, which tests/support/expected_skips.py does not expect: {reason}"
            )
    return report
