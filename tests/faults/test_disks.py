"""A disk that is full, files that may not be written, a database that another process locks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.disks import (
    disk_full,
    file_limit,
    files_immutable,
    locked,
    private_mounts,
    starts_in,
    unwritable_at_start,
)  # fmt: skip

mounts = pytest.mark.skipif(not private_mounts(), reason="this kernel permits no mounts (unshare --mount)")


@mounts
def test_a_full_disk(tmp_path: Path) -> None:
    outcome = disk_full(tmp_path, disk_mib=8, full_s=0.5)
    assert outcome.problems == ()
    assert outcome.answers["503"] >= 3


def test_a_limit_to_the_size_of_files(tmp_path: Path) -> None:
    outcome = file_limit(tmp_path, limit_mib=4, full_s=0.5)
    assert outcome.problems == ()
    assert outcome.answers["503"] >= 3


def test_files_that_may_not_be_written(tmp_path: Path) -> None:
    try:
        outcome = files_immutable(tmp_path, seconds=0.5)
    except PermissionError as error:
        pytest.skip(str(error))
    assert outcome.problems == ()


@pytest.mark.skipif(os.geteuid() == 0 and not private_mounts(), reason="root may write everywhere")
def test_a_data_directory_that_may_not_be_written(tmp_path: Path) -> None:
    status, said = unwritable_at_start(tmp_path)
    assert status == 2
    assert "the data directory cannot be written" in said
    assert "Traceback" not in said
    assert starts_in(tmp_path)


def test_a_database_that_is_locked_for_a_while(tmp_path: Path) -> None:
    outcome = locked(tmp_path, seconds=2, refused=False)
    assert outcome.problems == ()
