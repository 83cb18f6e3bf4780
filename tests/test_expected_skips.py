"""What is skipped without leave makes a run of the tests fail."""

import os
import subprocess
import sys
from pathlib import Path

SUPPORT = Path(__file__).parent / "support"
SKIPS = """
import pytest

def test_without_a_package():
    pytest.importorskip("no_such_package")

@pytest.mark.skip(reason="one day")
def test_marked():
    pass

@pytest.fixture
def peer():
    pytest.skip("one day")

def test_of_a_fixture(peer):
    pass

def test_expected():
    pytest.skip("needs umap-learn")
"""


def run_pytest(folder, content):
    (folder / "test_it.py").write_text(content)
    command = [sys.executable, "-m", "pytest", "-p", "expected_skips", "-p", "no:cacheprovider"]
    path = os.environ | {"PYTHONPATH": str(SUPPORT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    path.pop("CI", None)  # in CI pytest repeats each message in its summary
    return subprocess.run([*command, folder], cwd=folder, env=path, capture_output=True, text=True)


def test_a_skip_fails_unless_it_is_expected(tmp_path):
    run = run_pytest(tmp_path, SKIPS)
    assert run.returncode == 1
    assert "1 skipped" in run.stdout
    assert run.stdout.count("expected_skips.py does not expect") == 3


def test_a_file_that_is_skipped_whole_fails(tmp_path):
    run = run_pytest(tmp_path, "import pytest\npytest.importorskip('no_such_package')\n")
    assert run.returncode != 0
    assert "expected_skips.py does not expect: could not import 'no_such_package'" in run.stdout
