"""Files: whole or not at all, and tied tensors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from isthmus.core import editions, files, tensor_files
from isthmus.errors import StorageError


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    files.write_bytes(path, b"old")
    monkeypatch.setattr(files.os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_tied_tensors_and_views_are_written_each_by_itself(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    tensor_files.write_tensors(
        tmp_path / "t.safetensors", {"a": base, "b": base, "c": base[3:]}, {"n": 1}
    )
    tensors, meta = tensor_files.read_tensors(tmp_path / "t.safetensors")
    assert meta == {"n": 1}
    assert torch.equal(tensors["b"], base)
    assert torch.equal(tensors["c"], base[3:])


def test_a_tree_survives_packing() -> None:
    tree = {"step": 3, 7: [torch.ones(2), (None, "x")], "flag": True}
    tensors: dict[str, torch.Tensor] = {}
    again = tensor_files.unpack(tensor_files.pack(tree, tensors, "t"), tensors)
    assert again["step"] == 3
    assert torch.equal(again[7][0], torch.ones(2))
    assert again[7][1] == [None, "x"]
    assert again["flag"] is True


@pytest.mark.parametrize("unpacked", [1.5, [1, 2], "text", None])
def test_plain_values_survive_packing(unpacked: object) -> None:
    assert tensor_files.unpack(tensor_files.pack(unpacked, {}, "t"), {}) == unpacked


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127, "$_^$[*]?.csv", " .x"])
def test_a_file_may_have_any_name_that_the_system_takes(name: str, tmp_path: Path) -> None:
    files.write_bytes(tmp_path / name, b"1")
    with editions.edition(tmp_path, (), "m.json") as new:
        new.write(name, b"22")
        new.publish({})
    assert (tmp_path / name).read_bytes() == b"22"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "m.json"])


@pytest.mark.parametrize("name", ["a" * 256, "\ud800", "a/b"])
def test_a_name_that_it_does_not_take_is_one_sentence(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file, and no folder")
    with pytest.raises(
        StorageError, match=r"cannot be written \(|is no name that the system takes"
    ):
        files.write_bytes(tmp_path / name, b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_a_killed_process_left_of_a_file_goes_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "o[1].csv"
    old, young, other = (
        tmp_path / f".{name}.0123abcd{files.PART}" for name in ("o[1].csv", "o[1].csv", "o1.csv")
    )
    young = young.with_name(young.name.replace("0123", "4567"))
    for part in (old, young, other):
        part.write_bytes(b"half")
    for part in (old, other):
        os.utime(part, (0, 0))
    files.remove_parts(path)
    assert sorted(tmp_path.iterdir()) == sorted([young, other])  # one may still be written
