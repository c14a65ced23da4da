"""Run folders: what they hold, and what a damaged or foreign one is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine

import isthmus as ist
from isthmus.core import editions, files, tensor_files
from isthmus.errors import RunWarning
from isthmus.io import manifests, runs


@pytest.fixture
def run(few: np.ndarray, tmp_path: Path) -> Path:
    return ist.AE(epochs=1, random_state=0).fit(few).save(tmp_path / "run")


def edit(run: Path, **values: Any) -> None:
    """Another configuration, with its checksums, as a newer or a broken isthmus might write it."""
    config = json.loads((run / "config.json").read_text())
    files.write_json(run / "config.json", editions.sealed(config | values))


def replace(run: Path, name: str, content: bytes) -> None:
    """Another file, with its checksum in the configuration."""
    config = files.read_json(run / "config.json")
    with editions.edition(run, manifests.FILES) as new:
        new.keep(config, manifests.FILES)
        new.write(name, content)
        new.publish(config)


def test_what_a_run_holds(run: Path) -> None:
    assert sorted(path.name for path in run.iterdir()) == [
        "config.json",
        "history.jsonl",
        "model.safetensors",
    ]
    config = json.loads((run / "config.json").read_text())
    assert config["member"] == "ae"
    assert config["fields"]["latent_dim"] is None  # nobody said it
    assert config["chosen"] == {"latent_dim": 2}
    assert config["format"] == 3
    assert config["isthmus"] == ist.__version__
    assert json.loads((run / "history.jsonl").read_text())["epoch"] == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 99}, r"has format 99, this isthmus \(.*\) reads up to 3: upgrade isthmus"),
        ({"member": "vea"}, r"unknown member 'vea': did you mean 'vae'\?"),
        ({"fields": {"latent_dmi": 2}}, r"unknown field 'latent_dmi': did you mean 'latent_dim'\?"),
        ({"fields": {"latent_dim": 3}}, r"does not fit the model: .* has the shape"),
        ({"fields": [1]}, r"config\.json: fields=\[1\] is not usable: a table of names and values"),
        ({"data": {"layout": 3}}, r"config\.json: data.layout=3 is not usable: a table of"),
        ({"format": 1}, r"has format 1, which isthmus .* no longer reads: train it again\."),
        ({"format": None}, r"is not the configuration of a run of isthmus"),
    ],
)
def test_a_foreign_configuration_says_what_is_wrong(
    values: dict[str, Any], message: str, run: Path
) -> None:
    edit(run, **values)
    with pytest.raises(ist.InputError, match=message):
        ist.load(run)


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "history.jsonl", "snapshots.safetensors"]
)
@pytest.mark.parametrize("damage", ["cut", "gone", "noise"])
def test_every_damaged_file_is_named(
    name: str, damage: str, few: np.ndarray, tmp_path: Path
) -> None:
    run = ist.AE(epochs=1, snapshots=2, random_state=0).fit(few).save(tmp_path / "run")
    file = run / name
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(
            content[: len(content) // 2] if damage == "cut" else b"\x80noise" + content
        )
    if damage == "gone" and name in ("history.jsonl", "snapshots.safetensors"):
        with pytest.warns(RunWarning, match=rf"{name} is missing: the model is whole.*repair"):
            again = ist.load(run)
        assert again.transform(few).shape == (len(few), 2)
        return
    with pytest.raises(ist.RunError, match=name.replace(".", r"\.")):
        ist.load(run)


def test_one_flipped_bit_in_the_weights_is_noticed(run: Path) -> None:
    file = run / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ist.RunError, match="does not match its checksum"):
        ist.load(run)


def test_a_missing_folder_and_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(
        ist.RunError, match=r"there is no run at .*nowhere: the folder does not exist"
    ):
        ist.load(tmp_path / "nowhere")
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(
        ist.RunError, match=r"is not a finished run of isthmus: it holds no config\.json"
    ):
        ist.load(tmp_path)


def test_a_folder_of_somebody_elses_is_left_alone(few: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(
        ist.InputError, match=r"exists and is not a run of isthmus.*nothing was written"
    ):
        ist.AE(epochs=1).fit(few).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_an_unfitted_member_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not fitted yet"):
        ist.AE().save(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_settings_of_other_weights_are_not_saved(few: np.ndarray, tmp_path: Path) -> None:
    model = ist.VAE(epochs=1, verbose=0, random_state=0).fit(few)
    for values, message in (
        ({"latent_dim": 3}, "latent_dim=3 was set after training, which went by latent_dim=None"),
        ({"beta": 2.0}, "beta=2.0 was set after training, which went by beta=1.0: fit again"),
    ):
        before = {name: getattr(model, name) for name in values}
        with pytest.raises(ist.InputError, match=message):
            model.set_params(**values).save(tmp_path / "run")
        model.set_params(**before)
    with pytest.raises(ist.InputError, match="latent_dim=0 is not usable"):
        model.latent_dim = 0
    assert model.latent_dim is None
    assert not (tmp_path / "run").exists()
    model.set_params(epochs=5, patience=2).save(tmp_path / "run")  # for another training
    going = ist.load(tmp_path / "run")
    assert (going.epochs, going.patience) == (5, 2)
    model.set_params(epochs=1, patience=None, latent_dim=3).fit(few).save(tmp_path / "run")
    assert ist.load(tmp_path / "run").transform(few).shape == (len(few), 3)


def test_the_scaling_is_saved_with_the_model(tmp_path: Path) -> None:
    wine = load_wine().data
    model = ist.AE(epochs=5, random_state=0, latent_dim=4).fit(wine)
    again = ist.load(model.save(tmp_path / "run"))
    assert again.preprocessor_.scaling.kind == "standard"
    assert np.array_equal(again.reconstruct(wine), model.reconstruct(wine))
    # in the units of the table
    assert abs(again.reconstruct(wine).mean(0) - wine.mean(0)).max() < wine.std(0).max()


def linear(shape: tuple[int, ...]) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(int(np.prod(shape)), 8))


def test_an_importable_network_is_imported_only_with_trust(
    few: np.ndarray, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\n\n\ndef linear(shape):\n    return torch.nn.Sequential(torch.nn.Flatten(),"
        " torch.nn.Linear(64, 8))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import mine

    model = ist.AE(epochs=1, encoder=mine.linear, random_state=0).fit(few)
    model.save(tmp_path / "run")
    with pytest.raises(
        ist.RunError, match=r"networks=\{'encoder': \.\.\.}\), or trust=True to import mine:linear"
    ):
        ist.load(tmp_path / "run")
    with pytest.raises(ist.InputError, match=r"^trust='no' is not usable: give True or False\.$"):
        ist.load(tmp_path / "run", trust="no")
    again = ist.load(tmp_path / "run", trust=True)
    assert np.array_equal(again.transform(few), model.transform(few))


def test_a_network_that_the_run_does_not_have_is_refused(run: Path) -> None:
    with pytest.raises(ist.InputError, match=r"networks\['decoder'\].*has no decoder of its own"):
        ist.load(run, networks={"decoder": torch.nn.Identity()})


def test_an_unregistered_member_says_how_to_register(few: np.ndarray, tmp_path: Path) -> None:
    class Mine(ist.AE):
        pass

    with pytest.raises(ist.InputError, match=r"registry\.MEMBERS\.add\('mine', "):
        Mine(epochs=1).fit(few).save(tmp_path / "run")


def test_info_needs_no_weights(run: Path) -> None:
    (run / "model.safetensors").unlink()
    assert runs.info(run)["history"][-1]["epoch"] == 1


def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(
    few: np.ndarray, tmp_path: Path
) -> None:
    model = ist.AE(epochs=1, random_state=0).fit(few)
    run = model.save(tmp_path / "run")
    tensors, _ = tensor_files.read_tensors(run / "model.safetensors")
    name = next(name for name in tensors if name.startswith("encoder"))
    tensors[name].flatten()[3] = float("nan")
    replace(run, "model.safetensors", tensor_files.tensor_bytes(tensors))
    with pytest.raises(ist.RunError, match=rf"holds weights that are not finite \('{name}'\)"):
        ist.load(run)
    with torch.no_grad():
        model.module_.get_parameter(name).flatten()[3] = float("inf")
    with pytest.raises(ist.InputError, match=r"this AE has weights that are not finite \('encoder"):
        model.save(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_run_that_somebody_edited_says_what_and_is_accepted_in_words(
    run: Path, few: np.ndarray
) -> None:
    before = ist.load(run).reconstruct(few)
    config = json.loads((run / "config.json").read_text())
    config["source"] = {"source": "elsewhere"}
    (run / "config.json").write_text(json.dumps(config))
    (run / "history.jsonl").unlink()
    with pytest.raises(ist.RunError, match=r"was changed after it was written \(source\).*repair"):
        ist.load(run)
    expected = {"config.json: source": "changed", "history.jsonl": "missing"}
    assert runs.info(run)["changed"] == expected
    assert runs.repair(run) == expected
    again = ist.load(run)
    assert again.source_ == {"source": "elsewhere"}
    assert again.history_ == []
    assert np.array_equal(again.reconstruct(few), before)
    assert runs.info(run)["changed"] == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["data"]["scaling"].update(scale=[0.5]),
        lambda c: c.update(sha256=None),
        lambda c: c["sections"].pop("data"),
        lambda c: c.update(files={}),
        lambda c: c["fields"].update(latent_dim=10**8),
    ],
)
def test_no_entry_of_a_configuration_can_be_changed_unnoticed(change: Any, run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    change(config)
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(ist.RunError, match=r"config\.json was changed after it was written"):
        ist.load(run)


@pytest.mark.parametrize(
    "entries",
    [
        [],
        {"../model.safetensors": {"sha256": "0" * 64, "bytes": 1}},
        {"model.safetensors": {"sha256": None, "bytes": 1}},
        {"model.safetensors": {"sha256": "0" * 64, "bytes": "1"}},
    ],
)
def test_a_list_of_files_that_is_none_is_refused(entries: Any, run: Path) -> None:
    edit(run, files=entries)
    with pytest.raises(ist.RunError, match=r"config\.json is damaged: files is no list of them"):
        ist.load(run)
    with pytest.raises(ist.RunError, match=r"config\.json is damaged: files is no list of them"):
        runs.repair(run)


def test_whole_numbers_are_no_weights(run: Path) -> None:
    tensors, _ = tensor_files.read_tensors(run / "model.safetensors")
    whole = {name: value.to(torch.int32) for name, value in tensors.items()}
    replace(run, "model.safetensors", tensor_files.tensor_bytes(whole))
    with pytest.raises(ist.RunError, match=r"holds int32, the model wants float32"):
        ist.load(run)


def test_a_code_that_was_chosen_stays_when_the_rule_changes(
    run: Path, few: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ist.load(run).transform(few)
    monkeypatch.setattr("isthmus.estimators.settings._CODE_SIZE", 5)
    again = ist.load(run)
    assert again.latent_dim == 2
    assert np.array_equal(again.transform(few), before)
    assert ist.AE(epochs=1).fit(few).transform(few).shape == (len(few), 5)
