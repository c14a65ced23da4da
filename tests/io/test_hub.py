"""Runs on a hub, against a server on this machine: what comes is checked, nothing else is run."""

from __future__ import annotations

import importlib.util
import json
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus.core.editions import sealed
from isthmus.errors import InputError, MissingExtraError, RunError
from isthmus.io import hub as hubs

pytest.importorskip("huggingface_hub", reason="the extra 'hub' is not installed")
_spec = importlib.util.spec_from_file_location(
    "hub_server", Path(__file__).with_name("hub_server.py")
)
assert _spec is not None and _spec.loader is not None
hub_server = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hub_server)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A hub without any repository, an empty cache, and a good token."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", hub_server.TOKEN)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    with hub_server.running() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        yield found


@pytest.fixture(scope="module")
def model(few: np.ndarray) -> Any:
    found = ist.VAE(hidden=(8,), epochs=2, beta=0.5, random_state=0).fit(few[:64])
    found.source_ = {"source": "/home/anna/secret/photos"}
    return found


@pytest.fixture(scope="module")
def run(model: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a run by their names."""
    folder = model.save(tmp_path_factory.mktemp("run") / "vae")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def changed(run: dict[str, bytes], **entries: Any) -> dict[str, bytes]:
    """A run whose configuration says something else, with checksums as an attacker makes them."""
    config = sealed({**json.loads(run["config.json"]), **entries})
    return {**run, "config.json": json.dumps(config).encode()}


def test_what_is_pushed_is_loaded(hub: Any, model: Any, few: np.ndarray) -> None:
    sent = model.push_to_hub("anna/digits", licence="mit", test=few[64:])
    assert sent == f"hub:anna/digits@{hub.branches['anna/digits']['main']}"
    again = ist.load("hub:anna/digits")
    np.testing.assert_array_equal(again.transform(few), model.transform(few))
    pushed = hub.commits["anna/digits"][sent.partition("@")[2]]
    assert sorted(pushed) == [
        *(".gitattributes", "README.md", "config.json", "history.jsonl", "model.safetensors"),
    ]
    assert b"anna/secret" not in b"".join(pushed.values())
    assert model.source_ == {"source": "/home/anna/secret/photos"}


def test_the_card_says_what_it_is(hub: Any, model: Any, few: np.ndarray) -> None:
    model.push_to_hub("anna/digits", licence="mit", test=few[64:])
    card = hub.commits["anna/digits"][hub.branches["anna/digits"]["main"]]["README.md"].decode()
    assert card.startswith('---\nlibrary_name: "isthmus"\nlicense: "mit"\ntags: ["isthmus", ')
    assert "`VAE` of [isthmus]" in card and 'model = ist.load("hub:anna/digits")' in card
    assert "| trained on | photos |" in card and "| beta | 0.5 |" in card
    error = model.squared_error(few[64:]).mean()
    assert f"(on 65 examples) | {error:.4g} ± " in card
    assert "The model: mit." in card
    assert "anna/secret" not in card and "checkpoint_dir" not in card


def test_a_revision_is_pinned(hub: Any, model: Any, few: np.ndarray) -> None:
    first = model.push_to_hub("anna/digits")
    other = ist.AE(hidden=(8,), epochs=1, random_state=0).fit(few[:64])
    second = other.push_to_hub("anna/digits@trial")
    assert type(ist.load("hub:anna/digits")) is ist.VAE
    assert type(ist.load("hub:anna/digits@trial")) is ist.AE
    assert type(ist.load(first)) is ist.VAE and type(ist.load(second)) is ist.AE
    with pytest.raises(RunError, match=r"hub:anna/digits@v9 names a revision that the repository"):
        ist.load("hub:anna/digits@v9")


def test_only_what_the_configuration_names_is_fetched(hub: Any, run: dict[str, bytes]) -> None:
    evil = pickle.dumps(print)
    hub.put("eve/vae", {**run, "model.pkl": evil, "pytorch_model.bin": evil, "setup.py": b"1/0"})
    ist.load("hub:eve/vae")
    files = {path.rpartition("/")[2] for path in hub.asked if "/resolve/" in path}
    assert files == {"config.json", "history.jsonl", "model.safetensors"}


def entry(**more: Any) -> dict[str, Any]:
    return {"sha256": "0" * 64, "bytes": 5, **more}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"model.pkl": entry()}, r"names 'model\.pkl', and of a hub only model\.safetensors, hist"),
        (
            {"../../evil.safetensors": entry()},
            r"hub:eve/vae is refused: .* files is no list of them",
        ),
        ({"/etc/passwd": entry()}, r"files is no list of them"),
        ({"sub/model.safetensors": entry()}, r"names 'sub/model\.safetensors', and of a hub only"),
        ({"prior.safetensors": entry(bytes=2**40)}, r"files have 1 TB, and of a hub 4 GB are"),
    ],
)
def test_files_that_no_run_has_are_refused(
    hub: Any, run: dict[str, bytes], files: dict[str, Any], message: str, tmp_path: Path
) -> None:
    known = json.loads(run["config.json"])["files"]
    hub.put("eve/vae", changed(run, files={**known, **files}))
    with pytest.raises(RunError, match=message):
        ist.load("hub:eve/vae")
    assert [path for path in hub.asked if "/resolve/" in path and "config" not in path] == []
    assert list(tmp_path.rglob("*evil*")) == []


def test_sizes_are_asked_for_before_anything_is_fetched(hub: Any, run: dict[str, bytes]) -> None:
    hub.put("eve/vae", run)
    hub.claimed = {"config.json": 2**30}
    with pytest.raises(RunError, match=r"is no run of isthmus: its config\.json has 1 GB"):
        ist.load("hub:eve/vae")
    hub.claimed = {"model.safetensors": 2**33}
    with pytest.raises(RunError, match=r"its files have 8 GB, and of a hub 4 GB are fetched"):
        ist.load("hub:eve/vae")
    assert [path for path in hub.asked if "safetensors" in path] == []


def test_weights_that_are_not_those_of_the_configuration_are_refused(
    hub: Any, run: dict[str, bytes]
) -> None:
    weights = bytearray(run["model.safetensors"])
    weights[-1] ^= 1
    hub.put("eve/vae", {**run, "model.safetensors": bytes(weights)})
    with pytest.raises(RunError, match=r"model\.safetensors does not match its checksum"):
        ist.load("hub:eve/vae")
    hub.put("eve/other", {"config.json": run["config.json"].replace(b'"vae"', b'"ae"')})
    with pytest.raises(RunError, match="was changed after it was written"):
        ist.load("hub:eve/other")


def test_code_that_a_hub_names_is_never_run(hub: Any, run: dict[str, bytes]) -> None:
    hub.put("eve/vae", changed(run, networks={"encoder": "os:system"}))
    with pytest.raises(InputError, match=r"of a hub nothing is trusted but safetensors and JSON"):
        ist.load("hub:eve/vae", trust=True)
    with pytest.raises(RunError, match="has its own encoder: pass load"):
        ist.load("hub:eve/vae")


@pytest.mark.parametrize("name", ["anna", "anna/", "../../etc", "a/b/c", "anna/d@", "a/b@../x"])
def test_what_is_no_name_on_a_hub_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is no name on a hub: write hub:user/name, or"):
        hubs.Address.of(name)


def test_repositories_that_are_not_there_or_closed_are_one_sentence(
    hub: Any, model: Any, run: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put("anna/table", {"data.csv": b"1,2"})
    with pytest.raises(RunError, match=r"hub:anna/table is no run of isthmus: .* no config\.json"):
        ist.load("hub:anna/table")
    with pytest.raises(RunError, match=r"there is no anna/vea on http://.*, or it is private"):
        ist.load("hub:anna/vea")
    for name in ("closed", "gated"):
        hub.put(f"anna/{name}", run)
    hub.private.add("anna/closed")
    hub.gated.add("anna/gated")
    ist.load("hub:anna/closed")  # by who has the token
    monkeypatch.setenv("HF_TOKEN", "hf_bad")
    with pytest.raises(RunError, match=r"or it is private: .* log in with hf auth login"):
        ist.load("hub:anna/closed")
    with pytest.raises(RunError, match="hub:anna/gated is gated: ask its owner for access"):
        ist.load("hub:anna/gated")
    with pytest.raises(InputError, match=r"refuses hub:anna/mine \(401\): log in with hf auth"):
        model.push_to_hub("anna/mine")


def test_what_was_fetched_before_is_there_without_a_connection(
    hub: Any, run: dict[str, bytes], few: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put("anna/vae", run)
    codes = ist.load("hub:anna/vae").transform(few)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # where nobody answers
    np.testing.assert_array_equal(ist.load("hub:anna/vae").transform(few), codes)
    with pytest.raises(RunError, match="cannot be reached, and was not fetched before"):
        ist.load("hub:anna/other")


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"loading hub:a/b needs .* 'isthmus\[hub\]'"):
        ist.load("hub:a/b")


def test_commands_push_and_take_runs_of_a_hub(
    hub: Any, isthmus: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    run = "pretrained:vae-digits-2d"
    status, said, _ = isthmus("push", run, "anna/vae", "--licence", "mit", "--data", "digits")
    assert (status, said.partition("@")[0]) == (0, "hub:anna/vae")
    assert isthmus("info", "hub:anna/vae")[0] == 0
    codes = tmp_path / "codes.npy"
    assert isthmus("encode", "hub:anna/vae", "digits", codes)[0] == 0
    assert np.load(codes).shape == (359, 2)
    status, _, said = isthmus("fit-prior", "hub:anna/vae")
    assert status == 2 and "hub:anna/vae lies on a hub and stays as it is" in said
