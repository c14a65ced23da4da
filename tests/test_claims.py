"""Who may write: over what isthmus made alone, where that is asked for, one process at a time."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import typer

import isthmus as ist
from isthmus._cli import app as cli
from isthmus.core import claims, editions, files
from isthmus.errors import BusyError
from isthmus.io import manifests, runs

pytestmark = pytest.mark.usefixtures("fewer_digits")

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, few: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "vae"
    return ist.VAE(epochs=1, random_state=0, verbose=0).fit(few).save(folder)


@pytest.fixture
def rows(tmp_path: Path, few: np.ndarray) -> Path:
    np.save(tmp_path / "rows.npy", few[:20])
    np.save(tmp_path / "codes.npy", np.zeros((20, 2), np.float32))
    return tmp_path / "rows.npy"


OUTPUTS = [
    (["encode", "{run}", "{rows}", "{out}"], "z.csv"),
    (["decode", "{run}", "{codes}", "{out}"], "x.npy"),
    (["reconstruct", "{run}", "{rows}", "{out}"], "x.png"),
    (["impute", "{run}", "{rows}", "{out}"], "x.npy"),
    (["sample", "{run}", "--out", "{out}"], "x.npy"),
    (["outliers", "{run}", "{rows}", "--out", "{out}"], "o.csv"),
    (["outliers", "{run}", "{rows}", "--out", "{other}", "--figure", "{out}"], "o.svg"),
    (["outliers", "{run}", "{rows}", "--out", "{other}", "--explain", "{out}"], "e.npy"),
]


@pytest.mark.parametrize(("words", "name"), OUTPUTS, ids=lambda value: str(value[0]))
def test_a_file_that_is_there_is_replaced_only_where_asked(
    words: list[str], name: str, run: Path, rows: Path, isthmus: Command, tmp_path: Path
) -> None:
    out, other = tmp_path / "new" / "deep" / name, tmp_path / "other.csv"
    named = {"run": run, "rows": rows, "codes": rows.with_name("codes.npy")}
    command = [word.format(**named, out=out, other=other) for word in words]
    status, _, diagnostic = isthmus(*command)
    assert (status, out.is_file()) == (0, True), diagnostic  # its folders were made
    out.write_text("mine")
    other.unlink(missing_ok=True)
    status, _, diagnostic = isthmus(*command)
    assert status == 2
    assert f"{out} exists: choose another name, or pass --overwrite to replace it" in diagnostic
    assert (out.read_text(), other.exists()) == ("mine", False)
    assert isthmus(*command, "--overwrite")[0] == 0
    assert out.read_bytes() != b"mine"


def test_an_input_is_not_written_over(
    run: Path, rows: Path, isthmus: Command, tmp_path: Path
) -> None:
    before = rows.read_bytes()
    status, _, diagnostic = isthmus("reconstruct", run, rows, rows)
    assert (status, "rows.npy exists" in diagnostic) == (2, True)
    assert rows.read_bytes() == before
    assert isthmus("reconstruct", run, rows, rows, "--overwrite")[0] == 0
    assert np.load(rows).shape == (20, 1, 8, 8)


def test_every_command_that_writes_a_file_has_the_option() -> None:
    found = {}
    for name, command in typer.main.get_command(cli.application()).commands.items():  # type: ignore[attr-defined]
        flags = {flag for parameter in command.params for flag in parameter.opts}
        if {"out", "--out"} & flags:
            found[name] = "--overwrite" in flags
    replacing = [found.pop(name) for name in ("compare", "demo")]
    assert replacing == [False, False]  # they replace what they wrote themselves, and nothing else
    assert len(found) >= 7 and all(found.values()), found


def test_a_configuration_of_somebody_elses_is_never_replaced(
    few: np.ndarray, tmp_path: Path
) -> None:
    model = ist.AE(epochs=1, random_state=0, checkpoint_dir=str(tmp_path), verbose=0).fit(few)
    assert (tmp_path / "checkpoint.safetensors").is_file()  # a mark of ours
    (tmp_path / "config.json").write_text('{"theme": "dark"}')
    with pytest.raises(ist.InputError, match=r"config\.json was not written by isthmus and would"):
        model.save(tmp_path)
    (tmp_path / "config.json").unlink()
    (tmp_path / "history.jsonl").write_text("mine")
    with pytest.raises(ist.InputError, match=r"history\.jsonl was not written by isthmus"):
        model.save(tmp_path)
    assert (tmp_path / "history.jsonl").read_text() == "mine"


@pytest.mark.parametrize("name", ["index.html", "results.json"])
def test_a_page_of_somebody_elses_is_never_replaced(
    name: str, isthmus: Command, tmp_path: Path
) -> None:
    out = tmp_path / "site"
    out.mkdir()
    mark = {"format": 1, "isthmus": "0.1.0", "members": []}
    files.write_json(out / "results.json", editions.sealed(mark | {"files": {}}))
    (out / name).write_text("<title>mine</title>")
    status, _, diagnostic = isthmus("compare", "ae", "--data", "digits", "--out", out)
    assert status == 2
    assert name in diagnostic and "nothing was written" in diagnostic
    assert (out / name).read_text() == "<title>mine</title>"


def test_a_run_that_was_changed_is_told_and_accepted_in_a_shell(
    few: np.ndarray, isthmus: Command, tmp_path: Path
) -> None:
    run = ist.AE(epochs=1, random_state=0, verbose=0).fit(few).save(tmp_path / "run")
    assert "nothing was changed" in isthmus("repair", run)[1]
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"source": {"source": "moved"}}))
    (run / "history.jsonl").write_text('{"epoch": 1.0, "objective": 0.0}\n')
    shown = isthmus("info", run)[1]
    assert "not as written: config.json: source  changed" in shown
    assert "not as written: history.jsonl        changed" in shown
    assert isthmus("sample", run, "--out", tmp_path / "x.npy")[0] == 2
    status, printed, _ = isthmus("repair", run)
    assert (status, printed.splitlines()) == (
        0,
        ["accepted: config.json: source (changed)", "accepted: history.jsonl (changed)"],
    )
    assert ist.load(run).history_ == [{"epoch": 1.0, "objective": 0.0}]
    assert "not as written" not in isthmus("info", run)[1]
    (run / "model.safetensors").write_bytes(b"noise")
    status, _, diagnostic = isthmus("repair", run)
    assert (status, "model.safetensors is damaged or foreign" in diagnostic) == (2, True)
    status, _, diagnostic = isthmus("repair", tmp_path / "nowhere")
    assert (status, "there is no run at" in diagnostic) == (2, True)
    assert not (tmp_path / "nowhere").exists()
    status, _, diagnostic = isthmus("repair", "pretrained:vae-digits-2d")
    assert (status, "stays as it is" in diagnostic) == (2, True)


def test_a_detector_that_was_changed_is_accepted_too(
    few: np.ndarray, isthmus: Command, tmp_path: Path
) -> None:
    member = ist.AE(epochs=1, random_state=0, verbose=0)
    place = ist.OutlierDetector(member, contamination=0.1).fit(few).save(tmp_path / "detector")
    (place / "member-0" / "history.jsonl").write_text('{"epoch": 1.0}\n')
    with pytest.raises(ist.RunError, match=r"member-0.history\.jsonl does not match its checksum"):
        ist.load(place)
    status, printed, _ = isthmus("repair", place)
    assert (status, printed) == (0, "accepted: member-0: history.jsonl (changed)\n")
    assert isthmus("repair", place)[1].endswith("nothing was changed\n")
    ist.AE(epochs=1, random_state=1, verbose=0).fit(few).save(place / "member-0")
    with pytest.raises(ist.RunError, match="is not the member that the detector was made of"):
        ist.load(place)
    assert isthmus("repair", place)[1] == "accepted: member-0 (exchanged)\n"
    assert ist.load(place).members_[0].random_state == 1


@contextmanager
def held_elsewhere(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a folder until it is ended."""
    script = (
        "import sys, time; from pathlib import Path; from isthmus.core.claims import claimed\n"
        "with claimed(Path(sys.argv[1]), wait=0): print('held', flush=True); time.sleep(60)"
    )
    words = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_folder_has_one_writer_and_a_killed_one_holds_nothing(
    few: np.ndarray, isthmus: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    model = ist.AE(epochs=1, random_state=0, verbose=0).fit(few)
    model.save(run)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    train = ("train", "ae", "--data", "digits", "--epochs", 1, "--overwrite", "--out", run)
    with held_elsewhere(run) as process:
        for words in (train, ("fit-prior", run, "--data", "digits")):
            status, _, diagnostic = isthmus(*words)
            assert status == 2
            assert f"is being written by process {process.pid} on" in diagnostic
        with pytest.raises(BusyError, match=f"written by process {process.pid}"):
            ist.AE(epochs=1, checkpoint_dir=str(run), verbose=0).fit(few)
        assert np.array_equal(ist.load(run).transform(few), model.transform(few))  # may be read
    assert {name: (run / name).read_bytes() for name in before} == before
    assert isthmus(*train)[0] == 0  # what a killed process held is free
    assert sorted(path.name for path in run.iterdir()) == sorted(before)


def test_a_comparison_has_its_folder_alone(isthmus: Command, tmp_path: Path) -> None:
    with held_elsewhere(tmp_path / "page"):
        words = ("compare", "ae", "--data", "digits", "--epochs", 1, "--out", tmp_path / "page")
        status, _, diagnostic = isthmus(*words)
    assert (status, "is being written by process" in diagnostic) == (2, True)
    assert [path.name for path in (tmp_path / "page").iterdir()] == [claims.LOCK]


def test_threads_wait_for_each_other_and_one_may_claim_twice(tmp_path: Path) -> None:
    order: list[int] = []

    def write(number: int) -> None:
        with claims.claimed(tmp_path), claims.claimed(tmp_path):
            order.append(number)
            time.sleep(0.02)
            order.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order[::2] == order[1::2] and sorted(order[::2]) == list(range(6))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_claim_in_which_nothing_was_written(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyError),
        claims.claimed(tmp_path / "a" / "b"),
        claims.claimed(tmp_path / "a" / "b"),
    ):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_prior_is_not_written_beside_other_weights(few: np.ndarray, tmp_path: Path) -> None:
    model = ist.AE(epochs=1, random_state=0, verbose=0).fit(few)
    run = model.save(tmp_path / "run")
    model.fit_prior(few, prior="mixture")
    ist.AE(epochs=1, random_state=1, verbose=0).fit(few).save(run)
    with pytest.raises(ist.RunError, match="holds other weights than those whose codes the prior"):
        runs.save_prior(model, run)
    assert ist.load(run).prior_ is None


def test_a_manifest_cannot_lead_out_of_its_folder(few: np.ndarray, tmp_path: Path) -> None:
    run = ist.AE(epochs=1, random_state=0, verbose=0).fit(few).save(tmp_path / "run")
    (tmp_path / "letter.txt").write_text("dear")
    (run / "away").symlink_to(tmp_path)
    config = json.loads((run / "config.json").read_text())
    seal = files.sha256(b"dear")
    for name in ("../letter.txt", str(tmp_path / "letter.txt"), "away/letter.txt"):
        config["ended"] = {name: seal}
        config["files"][name] = {"sha256": "0" * 64, "bytes": 4}
        (tmp_path / ".letter.txt.0000000000000000.isthmus-next").write_text("other")
        files.write_json(run / "config.json", editions.sealed(config))
        editions.settle(run, manifests.FILES)
        assert (tmp_path / "letter.txt").read_text() == "dear"
