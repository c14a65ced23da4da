"""Several processes end where one ends, and what happens when one of them dies."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

import isthmus as ist
from isthmus.core.tensor_files import read_tensors
from tests.warm import Started, Warm

SCRIPT = Path(__file__).parent / "distributed_members.py"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
MEMBERS = [
    *("plain", "vae", "betatc", "free bits", "stopping", "iwae", "denoising", "contractive"),
    *(
        "sparse kl",
        "sparse topk",
        "dictionary",
        "wae",
        "aae",
        "factorvae",
        "dipvae",
        "infovae",
        "hvae",
        "slicedwae",
        "rae",
        "vqvae",
        "vqvae gradient",
        "laddervae",
        "nvae",
        "biva",
        "stacked",
    ),
    *("vqvae fsq", "vqvae lfq", "vqvae residual", "vqvae product"),
    *(
        "vqvae2",
        "conditional",
        "vaegan",
        "judged",
        "weights",
        "sequences",
        "clustering",
        "clustering in batches",
        "vade",
        "classifier",
    ),
]

pytestmark = pytest.mark.slow


def torchrun(processes: int, *arguments: object) -> subprocess.Popen[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *launcher, *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def ranks(warm: Warm, processes: int, *arguments: object) -> list[Started]:
    """The processes that torchrun would start, without it."""
    if processes == 1:
        return [warm.start(*arguments)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        warm.start(*arguments, environment={**shared, "RANK": str(i), "LOCAL_RANK": str(i)})
        for i in range(processes)
    ]


def end(started: Iterable[Started]) -> None:
    """Wait for processes, which must come to a good end."""
    for process in started:
        message = process.communicate(timeout=300)[1]
        assert process.returncode == 0, message


@pytest.fixture(scope="module")
def ends(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Where one, two and three processes wrote what they ended in; all start at once."""
    folders = {count: tmp_path_factory.mktemp(f"of-{count}") for count in (1, 2, 3)}
    end([one for count, to in folders.items() for one in ranks(warm, count, SCRIPT, to)])
    return folders


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("member", MEMBERS)
def test_several_processes_end_where_one_ends(
    member: str, processes: int, ends: dict[int, Path]
) -> None:
    with np.load(ends[1] / "0.npz") as kept:
        alone = {name: value for name, value in kept.items() if name.partition("/")[0] == member}
    assert alone
    for rank in range(processes):
        with np.load(ends[processes] / f"{rank}.npz") as together:
            for name, value in alone.items():
                np.testing.assert_allclose(
                    together[name], value, rtol=1e-4, atol=1e-5, err_msg=f"{name} of {rank}"
                )


def test_the_members_come_to_what_they_are_there_for(ends: dict[int, Path]) -> None:
    with np.load(ends[1] / "0.npz") as alone:
        assert alone["sparse topk/dead"][0] > 0  # so that units were renewed
        assert alone["vqvae/usage"].min() < 1  # so that entries were renewed
        assert len(alone["stopping/epoch"]) < 10  # so that training was stopped
        assert alone["free bits/objective"][-1] > 0


def test_processes_hold_the_same_weights_under_dropout(ends: dict[int, Path]) -> None:
    kept = [np.load(ends[3] / f"{rank}.npz") for rank in range(3)]
    names = [name for name in kept[0] if name.startswith("own dropout/")]
    assert names
    assert all(np.array_equal(kept[0][name], other[name]) for name in names for other in kept[1:])


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("compile", "compile=True is not usable in 3 processes"),
        ("batch norm", "batch norm would see the rows of each of the 3 processes apart"),
        ("random", "the processes do not have the same random state"),
    ],
)
def test_what_processes_cannot_share_is_refused(
    case: str, message: str, ends: dict[int, Path]
) -> None:
    for rank in range(3):
        assert message in json.loads((ends[3] / f"{rank}.json").read_text())[case]


def test_a_killed_process_ends_the_others_and_the_run_goes_on(warm: Warm, tmp_path: Path) -> None:
    def words(out: Path) -> list[object]:
        options = ["--data", "digits", "--epochs", "16", "--batch-size", "64", "--device", "cpu"]
        return ["-m", "isthmus", "train", "vae", *options, "--out", out]

    run = torchrun(2, *words(tmp_path / "run"))
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "checkpoint.safetensors").exists():
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(children(run.pid)[-1], signal.SIGKILL)
    message = run.communicate(timeout=60)[1]  # the others do not wait for the dead one
    assert run.returncode != 0, "the run ended before it was killed: train longer"
    assert "another process has ended or cannot be reached" in message
    assert not (tmp_path / "run" / "config.json").exists()

    for name in ("whole", "run"):  # one after the other: they would wait for each other's processes
        end(ranks(warm, 2, *words(tmp_path / name)))
    first, second = (
        read_tensors(tmp_path / name / "model.safetensors")[0] for name in ("whole", "run")
    )
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert len(ist.load(tmp_path / "run").history_) == 16


def children(parent: int) -> list[int]:
    """The processes that a process has started."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=True
    )
    return [int(line) for line in listed.stdout.split()]
