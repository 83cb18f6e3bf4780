"""Where results come from."""

import subprocess

import pytest

from raystudy.storage import provenance


@pytest.fixture
def repository(tmp_path):
    """Return a work tree with one commit."""

    def git(*arguments):
        identity = ["-c", "user.name=me", "-c", "user.email=me@here"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True)

    git("init", "-q", "-b", "topic")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-q", "-m", "First")
    git("remote", "add", "origin", "https://me:secret@host/repository")
    return tmp_path


def test_a_work_tree_is_named_by_commit_branch_and_remote(repository):
    state = provenance.git_state(repository)
    assert len(state.commit) == 40
    assert state.branch == "topic"
    assert not state.dirty
    assert state.remote == "https://***@host/repository"


def test_a_changed_file_makes_it_dirty_but_a_new_one_does_not(repository):
    (repository / "new").write_text("")
    assert not provenance.git_state(repository).dirty
    (repository / "file").write_text("two")
    assert provenance.git_state(repository).dirty


def test_a_folder_outside_of_git_has_no_state(tmp_path):
    assert provenance.git_state(tmp_path) is None


def test_gpus_are_counted_by_model(tmp_path):
    for index in range(2):
        folder = tmp_path / f"driver/nvidia/gpus/{index}"
        folder.mkdir(parents=True)
        (folder / "information").write_text("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   16\n")
    assert provenance.device(tmp_path) == "2 x NVIDIA H100 80GB HBM3"


def test_without_gpus_the_processor_is_named(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Quick CPU\n")
    assert provenance.device(tmp_path) == "Quick CPU"


def test_versions_begin_with_raystudy():
    versions = provenance.versions()
    assert next(iter(versions)) == "raystudy"
    assert "torch" in versions
