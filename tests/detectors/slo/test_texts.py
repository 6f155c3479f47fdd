"""Paths that are no SLO files are told one by one, and nothing waits or grows for them."""

from __future__ import annotations

import os
from pathlib import Path

from detectors.slo.texts import read_texts


def test_files_and_folders_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("b")
    (tmp_path / "a.yml").write_text("\ufeffa", encoding="utf-8")
    (tmp_path / "notes.md").write_text("no")
    texts, problems = read_texts([tmp_path, tmp_path / "notes.md"])
    assert [(Path(name).name, text) for name, text in texts] == [("a.yml", "a"), ("b.yaml", "b"), ("notes.md", "no")]
    assert problems == []


def test_what_cannot_be_read_is_told_beside_the_rest(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("good")
    (tmp_path / "latin.yaml").write_bytes("grün".encode("latin-1"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "huge.yaml").write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    names = ["good.yaml", "latin.yaml", "empty", "huge.yaml", "loop.yaml", "pipe.yaml", "missing.yaml"]
    texts, problems = read_texts([tmp_path / name for name in names])
    assert [text for _, text in texts] == ["good"]
    assert [(Path(one.file).name, one.message) for one in problems] == [
        ("latin.yaml", "cannot be read: it is not UTF-8 text"),
        ("empty", "the folder holds no SLO file"),
        ("huge.yaml", "cannot be read: it is larger than 4 MiB"),
        ("loop.yaml", "cannot be read: Too many levels of symbolic links"),
        ("pipe.yaml", "cannot be read: it is no regular file"),
        ("missing.yaml", "cannot be read: No such file or directory"),
    ]
    inside, faults = read_texts([tmp_path])
    assert [text for _, text in inside] == ["good"]
    assert "it is no regular file" in faults[0].message, "a folder that is called like a file"
