"""Members for others: what a plain torch module and onnxruntime give is what the package gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import ndtri
from torch import nn

import isthmus as ist
from isthmus.core import fields
from isthmus.errors import InputError, MissingExtraError
from isthmus.io.export import onnx_files
from isthmus.io.export._curves import normal_quantile
from tests.small import small

pytestmark = pytest.mark.usefixtures("operators_read_once")

NO_GRAPH: dict[str, str] = {}
"""Members that are no graph of tensors, each with a part of the sentence that says why."""
ALIKE = {
    **dict.fromkeys(("stacked", "denoising", "rae"), "ae"),
    **dict.fromkeys(("betatc", "dipvae", "infovae", "hvae", "iwae", "vaegan"), "vae"),
    "slicedwae": "wae",
}
"""Members whose trained module is computed as another one: its file would show nothing new."""
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def fitted(name: str, x: Any, y: Any = None, **values: Any) -> Any:
    declared = fields.declared(ist.MEMBERS[name])
    told = {"condition": "label"} if y is not None and "condition" in declared else {}
    settings = {**small(name), **told, "epochs": 1, "batch_size": 32, "latent_dim": 3, **values}
    return ist.MEMBERS[name](random_state=0, **settings).fit(x, y)


def run(path: Path, *inputs: np.ndarray) -> list[np.ndarray]:
    """What onnxruntime makes of inputs, by a file alone."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    named = {port.name: value for port, value in zip(session.get_inputs(), inputs, strict=True)}
    found: list[np.ndarray] = session.run(None, named)
    return found


def code_of(model: Any, x: Any, *told: Any) -> np.ndarray:
    """The code as a module gives it: means, or the indices of all levels in a row."""
    posterior = model._posterior(x, *told)
    return np.asarray(posterior.indices if model._levels else posterior[0])


@pytest.fixture(scope="module")
def classes(digits: ist.data.Data) -> np.ndarray:
    return digits.train.y[:64]


def computed(name: str) -> list[object]:
    """What a trained module consists of: classes, and the functions that read and write a code."""
    module = ist.MEMBERS[name](**small(name), latent_dim=3).build((1, 8, 8))
    layers = [type(each) for part in (module.encoder, module.decoder) for each in part.modules()]
    own = type(module.bottleneck)
    inner = [type(each) for each in module.bottleneck.modules()][1:]
    return [type(module), type(module.likelihood), own.posterior, own.expand, *inner, *layers]


@pytest.mark.parametrize("name", ALIKE)
def test_what_is_computed_alike_needs_one_file(name: str) -> None:
    assert computed(name) == computed(ALIKE[name])


@pytest.mark.parametrize("name", [name for name in ist.MEMBERS if name not in ALIKE])
def test_a_runtime_gives_what_the_package_gives(
    name: str, few: np.ndarray, classes: np.ndarray, tmp_path: Path
) -> None:
    model = fitted(name, few[:64], classes)
    told = (classes[:5],) if getattr(model, "condition", "none") != "none" else ()
    if name in NO_GRAPH:
        with pytest.raises(InputError, match=NO_GRAPH[name]):
            model.export(tmp_path / "model.onnx")
        return
    (path,) = model.export(tmp_path / "model.onnx")
    for n in (1, 5):
        code, restored = run(path, few[:n].astype(np.float32), *(labels[:n] for labels in told))
        own = tuple(labels[:n] for labels in told)
        assert_allclose(code, code_of(model, few[:n], *own), **CLOSE)
        assert_allclose(restored, model.reconstruct(few[:n], *own), **CLOSE)


@pytest.mark.parametrize("name", [name for name in ist.MEMBERS if name not in NO_GRAPH])
def test_every_part_is_a_module_of_tensors(name: str, few: np.ndarray, classes: np.ndarray) -> None:
    model = fitted(name, few[:64], classes)
    x, own = few[:5].astype(np.float32), ()
    if getattr(model, "condition", "none") != "none":
        own = (classes[:5],)
    told = [torch.from_numpy(labels) for labels in own]
    with torch.no_grad():
        code = model.to_module("encoder")(torch.from_numpy(x), *told)
        restored = model.to_module("decoder")(code, *told)
        found = model.to_module("posterior")(torch.from_numpy(x), *told)
    assert_allclose(code, code_of(model, x, *own), **CLOSE)
    assert_allclose(restored, model.reconstruct(x, *own), **CLOSE)
    for part, expected in zip(found, model._posterior(x, *own), strict=True):
        assert_allclose(part, expected, **CLOSE)


def vectors(far: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.exp(rng.normal(size=(200, 4))) * [1, 10, 100, 1000] + far


def images(dtype: type, channels: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, np.iinfo(dtype).max, (40, 6, 5, channels)).astype(dtype)


def waves(has_ends: bool) -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(40, 12, 2)) * [3, 50] + 7
    if has_ends:
        x[::3, 9:] = np.nan
    return x.astype(np.float32)


def with_gaps() -> np.ndarray:
    x = vectors().astype(np.float32)
    x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    return x


UNITS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "standard": ("ae", vectors().astype(np.float32), {"scaling": "standard"}),
    "minmax": ("ae", vectors().astype(np.float32), {"scaling": "minmax"}),
    "robust": ("ae", vectors().astype(np.float32), {"scaling": "robust"}),
    "quantile": ("ae", vectors().astype(np.float32), {"scaling": "quantile"}),
    "as it is": ("ae", vectors().astype(np.float32), {"scaling": "none"}),
    "far from 0": ("ae", vectors(1e9), {}),
    "gaps": ("ae", with_gaps(), {"scaling": "quantile"}),
    "pixels of 8 bits, colours last": ("vae", images(np.uint8, 3), {}),
    "pixels of 16 bits": ("ae", images(np.uint16, 1)[..., 0], {"network": "conv"}),
    "maps of a code": ("vae", images(np.uint8, 3), {"code": "map"}),
    "signals": ("ae", waves(False).swapaxes(1, 2), {"kind": "signal"}),
    "sequences with ends": ("recurrent", waves(True), {}),
    "a library of counts": (
        "vae",
        np.random.default_rng(0).poisson(3, (60, 7)).astype(np.float32),
        {"likelihood": ist.likelihoods.Poisson(library=True)},
    ),
}


@pytest.mark.parametrize("case", UNITS)
def test_units_and_layout_are_inside(case: str) -> None:
    name, x, values = UNITS[case]
    model = fitted(name, x, **values)
    module = model.to_module("whole")
    assert module.inputs[0].dtype == torch.from_numpy(x[:1]).dtype
    with torch.no_grad():
        code, restored = module(torch.from_numpy(x[:9]))
    spread = np.nanstd(x) if x.dtype.kind == "f" else 1.0
    assert_allclose(code, code_of(model, x[:9]), rtol=1e-4, atol=2e-4)
    assert_allclose(restored, model.reconstruct(x[:9]), rtol=1e-4, atol=1e-4 * spread)


@pytest.mark.parametrize("case", ["gaps", "maps of a code"])
def test_units_and_layout_are_in_the_file(case: str, tmp_path: Path) -> None:
    name, x, values = UNITS[case]
    model = fitted(name, x, **values)
    (path,) = model.export(tmp_path / "model.onnx", opset=21)
    code, restored = run(path, x[:9])
    spread = np.nanstd(x) if x.dtype.kind == "f" else 1.0
    assert_allclose(code, code_of(model, x[:9]), rtol=1e-4, atol=2e-4)
    assert_allclose(restored, model.reconstruct(x[:9]), rtol=1e-4, atol=1e-4 * spread)


def test_tables_of_numbers_have_their_columns_in_order() -> None:
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "yes": rng.random(80) < 0.5,
            "width": rng.normal(30, 5, 80),
            "visits": rng.poisson(2, 80),
            "age": rng.integers(20, 70, 80) * 1000,
        }
    )
    kinds = {"visits": "count", "age": "number"}
    model = fitted("vae", frame, columns=kinds)
    module = model.to_module()
    with torch.no_grad():
        found = module(torch.from_numpy(frame[:9].to_numpy(np.float32)))
    expected = model.reconstruct(frame[:9]).to_numpy(np.float64)
    assert_allclose(found, expected, rtol=1e-3)  # whole numbers are rounded on both sides


def test_a_table_with_categories_is_refused() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"colour": ["red", "blue"] * 10, "width": np.arange(20.0)})
    model = fitted("ae", frame)
    with pytest.raises(
        InputError, match=r"column 'colour' .* categories, which no tensor can hold"
    ):
        model.to_module()


def test_covariates_enter_in_their_own_units(few: np.ndarray) -> None:
    ages = np.random.default_rng(0).normal(40, 9, (64, 2))
    model = ist.VAE(hidden=(8,), epochs=1, condition="covariates", random_state=0)
    model.fit(few[:64], ages)
    module = model.to_module()
    with torch.no_grad():
        found = module(torch.from_numpy(few[:5]), torch.from_numpy(ages[:5]).float())
    assert_allclose(found, model.reconstruct(few[:5], ages[:5]), **CLOSE)


def test_a_module_is_exported_by_torch_for_any_batch(few: np.ndarray) -> None:
    model = fitted("vae", few)
    module = model.to_module()
    program = torch.export.export(
        module, (torch.zeros(3, 1, 8, 8),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    for n in (1, 7):
        x = torch.from_numpy(few[:n]).float()
        assert_allclose(program.module()(x).detach(), model.reconstruct(few[:n]), **CLOSE)


def test_a_module_is_a_copy(few: np.ndarray) -> None:
    model = fitted("ae", few)
    before = model.transform(few[:2])
    module = model.to_module("encoder")
    with torch.no_grad():
        for weights in module.parameters():
            weights.zero_()
    assert_allclose(model.transform(few[:2]), before)


def test_normal_quantiles_are_those_of_scipy() -> None:
    share = np.concatenate([np.geomspace(1e-6, 0.5, 50), 1 - np.geomspace(1e-6, 0.5, 50)])
    assert_allclose(normal_quantile(torch.from_numpy(share)), ndtri(share), atol=1e-6)


def test_several_parts_are_files_beside_each_other(few: np.ndarray, tmp_path: Path) -> None:
    model = fitted("vqvae", few[:64])
    paths = model.export(tmp_path / "digits.onnx", parts=("encoder", "decoder"))
    assert [path.name for path in paths] == ["digits-encoder.onnx", "digits-decoder.onnx"]
    (indices,) = run(paths[0], few[:3].astype(np.float32))
    assert_allclose(indices, model.encode(few[:3]).reshape(3, -1))
    (restored,) = run(paths[1], indices)
    assert_allclose(restored, model.reconstruct(few[:3]), **CLOSE)


def test_a_file_says_what_it_is(few: np.ndarray, classes: np.ndarray, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = fitted("vae", few[:64], classes)
    model.source_ = {"source": "/home/anna/secret/digits"}
    (path,) = model.export(tmp_path / "model.onnx", opset=20)
    proto = onnx.load(path)
    said = {each.key: each.value for each in proto.metadata_props}
    assert (said["isthmus"], said["member"], said["part"]) == (ist.__version__, "vae", "whole")
    assert said["units"] == "in and out: from 0 (black) to 1 (white)"
    assert json.loads(said["layout"]) == {"shape": [1, 8, 8], "channels": "first"}
    assert json.loads(said["classes"]) == [str(digit) for digit in range(10)]
    assert json.loads(said["inputs"])[1] == {
        "name": "condition",
        "shape": ["batch"],
        "type": "int64",
    }
    assert (said["data"], said["licence of the data"]) == ("digits", "CC BY 4.0")
    assert json.loads(said["settings"])["latent_dim"] == 3
    assert [each.version for each in proto.opset_import if not each.domain] == [20]
    shapes = [value.type.tensor_type.shape.dim[0].dim_param for value in proto.graph.output]
    assert shapes == ["batch", "batch"]
    content = path.read_bytes()
    assert b"secret" not in content and b"site-packages" not in content and b".py" not in content


def test_what_cannot_be_asked_for_is_refused(few: np.ndarray, tmp_path: Path) -> None:
    model = fitted("ae", few[:64])
    with pytest.raises(InputError, match=r"unknown part 'encode': did you mean 'encoder'\?"):
        model.to_module("encode")
    with pytest.raises(InputError, match=r"opset=7 is not usable: give a whole number from 18"):
        model.export(tmp_path / "model.onnx", opset=7)
    with pytest.raises(InputError, match=r"model\.pb cannot be written: give a name that ends in"):
        model.export(tmp_path / "model.pb")
    with pytest.raises(InputError, match=r"parts='encoder' is not usable: give one or several of"):
        model.export(tmp_path / "model.onnx", parts="encoder")
    with pytest.raises(InputError, match="is a folder: give the name of a file"):
        (tmp_path / "folder.onnx").mkdir()
        model.export(tmp_path / "folder.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.onnx"]


class Counting(nn.Module):
    """An encoder that fixes the batch that it is traced with."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) * (1.0 if int(x.sum().item()) > -1 else 2.0)


def test_a_network_that_is_no_graph_is_refused(few: np.ndarray, tmp_path: Path) -> None:
    model = ist.AE(encoder=Counting(), hidden=(8,), epochs=1, random_state=0).fit(few[:64])
    with pytest.raises(InputError, match=r"no graph that torch\.export can trace .* tensors alone"):
        model.export(tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_the_extra_is_named(
    few: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(
        MissingExtraError, match=r"writing ONNX needs .* pip install 'isthmus\[onnx\]'"
    ):
        fitted("ae", few[:64]).export(tmp_path / "model.onnx")


def test_a_file_that_is_not_whole_gets_no_name(
    few: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, path = fitted("ae", few[:64]), tmp_path / "model.onnx"
    path.write_bytes(b"what was there")
    monkeypatch.setattr(onnx_files, "_content", lambda *given: b"half of a mod")
    with pytest.raises(InputError, match="what was made of it is no whole graph"):
        model.export(path)
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_the_command_writes_a_file(
    isthmus: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    out = tmp_path / "model.onnx"
    run_ = "pretrained:vae-digits-2d"
    assert isthmus("export", run_, out, "--parts", "encoder", "--opset", 19)[:2] == (0, f"{out}\n")
    (code,) = run(out, np.zeros((2, 1, 8, 8), np.float32))
    assert code.shape == (2, 2)
    status, _, said = isthmus("export", run_, out, "--parts", "encoder")
    assert status == 2 and "exists: choose another name, or pass --overwrite" in said
    assert isthmus("export", run_, out, "--parts", "encoder,encoder")[0] == 2
