"""Files: whole or not at all, and tied tensors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from isthmus.core import files


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
    files.write_tensors(tmp_path / "t.safetensors", {"a": base, "b": base, "c": base[3:]}, {"n": 1})
    tensors, meta = files.read_tensors(tmp_path / "t.safetensors")
    assert meta == {"n": 1}
    assert torch.equal(tensors["b"], base)
    assert torch.equal(tensors["c"], base[3:])


def test_a_tree_survives_packing() -> None:
    tree = {"step": 3, 7: [torch.ones(2), (None, "x")], "flag": True}
    tensors: dict[str, torch.Tensor] = {}
    again = files.unpack(files.pack(tree, tensors, "t"), tensors)
    assert again["step"] == 3
    assert torch.equal(again[7][0], torch.ones(2))
    assert again[7][1] == [None, "x"]
    assert again["flag"] is True


@pytest.mark.parametrize("unpacked", [1.5, [1, 2], "text", None])
def test_plain_values_survive_packing(unpacked: object) -> None:
    assert files.unpack(files.pack(unpacked, {}, "t"), {}) == unpacked
