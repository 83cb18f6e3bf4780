"""Study folders: names, locks, manifests."""

import multiprocessing
from pathlib import Path

import pytest
from busy import PATIENCE_S

from raystudy.errors import UserError
from raystudy.storage.folders import create_study_folder, open_study_folder, write_atomically
from raystudy.storage.manifest import Manifest


def test_studies_without_an_id_are_numbered(tmp_path):
    ids = [create_study_folder(tmp_path, "swaro").id for _ in range(3)]
    assert ids == ["swaro-1", "swaro-2", "swaro-3"]


def test_an_id_is_taken_once(tmp_path):
    create_study_folder(tmp_path, "swaro", "mine").write_manifest(
        Manifest(kind="sweep", name="swaro")
    )
    with pytest.raises(UserError, match=r"'mine' exists .*raystudy resume mine"):
        create_study_folder(tmp_path, "swaro", "mine")


def test_a_folder_whose_study_never_began_is_no_dead_end(tmp_path):
    create_study_folder(tmp_path, "swaro", "mine")
    with pytest.raises(UserError, match=r"'mine' is a folder without a study .*; remove it"):
        create_study_folder(tmp_path, "swaro", "mine")


@pytest.mark.parametrize("place", ["/dev/null/x", "/proc/x"])
def test_a_place_that_cannot_be_written_is_told(place):
    with pytest.raises(UserError, match=r"output_dir: .* cannot be written .*RAYSTUDY_HOME"):
        create_study_folder(Path(place), "swaro")


def test_opening_an_unknown_study_names_the_near_one_or_the_newest(tmp_path):
    with pytest.raises(UserError, match="there is none yet: 'raystudy sweep swaro' starts one"):
        open_study_folder(tmp_path, "swaro-1")
    for _ in range(10):
        create_study_folder(tmp_path, "swaro").write_manifest(Manifest(kind="sweep", name="swaro"))
    with pytest.raises(UserError, match=r"no study 'swarro-1' in .*; did you mean 'swaro-1'\?"):
        open_study_folder(tmp_path, "swarro-1")
    with pytest.raises(UserError, match=r"there are swaro-\d+, .* and 2 more \('raystudy studies'"):
        open_study_folder(tmp_path, "something")


def test_the_manifest_comes_back(tmp_path):
    folder = create_study_folder(tmp_path, "swaro")
    written = Manifest(kind="sweep", name="swaro", overrides=("a=1",))
    folder.write_manifest(written)
    again = open_study_folder(tmp_path, "swaro-1")
    assert again.read_manifest() == written


def _try_to_lock(folder, answers):
    try:
        with folder.locked():
            answers.put("locked")
    except UserError as error:
        answers.put(str(error))


def test_two_processes_cannot_run_one_study(tmp_path):
    folder = create_study_folder(tmp_path, "swaro")
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    with folder.locked():
        other = context.Process(target=_try_to_lock, args=(folder, answers))
        other.start()
        assert "is being run by another process" in answers.get(timeout=PATIENCE_S)
        other.join()


def test_a_replaced_file_is_whole_or_untouched(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, "old")
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
