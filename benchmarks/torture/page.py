"""The page ``docs/reliability.md``, made from the kept figures of a campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.kept import KeptRows
from benchmarks.papers.record import ROOT
from benchmarks.torture.campaign import Tally
from benchmarks.torture.kinds import KINDS
from benchmarks.torture.trials import FAILED, Verdict
from isthmus.version import __version__

PAGE = ROOT / "docs" / "reliability.md"
RESULTS = ROOT / "benchmarks" / "results" / "torture.jsonl"
Row = Mapping[str, Any]

_GROUPS = {
    "kills": "Kills",
    "damage": "Damaged and forged files",
    "inputs": "Wrong inputs",
    "disk": "Full disks",
    "threads": "Threads",
    "folders": "Shared and foreign folders",
}


def keep(tallies: Sequence[Tally]) -> None:
    """Keep the figures of a campaign, a line a kind; those of the same seed are replaced."""
    kept = KeptRows(RESULTS, ("kind", "seed"), anew=True)
    for tally in tallies:
        fell = {verdict.value: tally.counts[verdict] for verdict in FAILED}
        kept.put(
            (tally.kind.name, tally.seed),
            {
                "trials": tally.trials,
                "survived": tally.survivors,
                "refused": tally.counts[Verdict.REFUSED],
                **fell,
                "seconds": round(tally.seconds),
                "isthmus": __version__,
            },
        )


def kept_rows() -> list[Row]:
    """The kept lines."""
    return list(KeptRows(RESULTS, ("kind", "seed")).rows())


def page(rows: Sequence[Row]) -> str:
    """The page: what is promised, each beside the trials that it survived."""
    kinds = [name for name in KINDS if any(row["kind"] == name for row in rows)]
    table = [
        "| | what is promised | trials | survived | fell |",
        "| --- | --- | --- | --- | --- |",
        *(_line(name, [row for row in rows if row["kind"] == name]) for name in kinds),
    ]
    return "\n".join([_HEAD, *table, "", _whole(rows), "", _FOOT])


def _line(name: str, rows: Sequence[Row]) -> str:
    trials, survived = _sum(rows, "trials"), _sum(rows, "survived")
    fell = ", ".join(
        f"{_sum(rows, verdict)} {verdict}" for verdict in FAILED if _sum(rows, verdict)
    )
    cells = (name, KINDS[name].promise, f"{trials:,}", f"{survived:,}", fell or "none")
    return f"| {' | '.join(cells)} |"


def _whole(rows: Sequence[Row]) -> str:
    """How large the campaign was, by group, beside what a full one wants."""
    parts = []
    for group, title in _GROUPS.items():
        names = [name for name, kind in KINDS.items() if kind.group == group]
        trials = sum(row["trials"] for row in rows if row["kind"] in names)
        wanted = sum(KINDS[name].target for name in names)
        parts.append(f"{title.lower()} {trials:,} of {wanted:,}")
    minutes = sum(row["seconds"] for row in rows) / 60
    places = sorted({f"torch {row['torch']}, {row['machine']}" for row in rows})
    commits = sorted({row["commit"] for row in rows})
    return (
        f"Trials beside what a full campaign wants: {'; '.join(parts)}. They took {minutes:.0f}"
        f" minutes of one core's time ({'; '.join(places)}), at {', '.join(commits)}."
    )


def _sum(rows: Sequence[Row], name: str) -> int:
    return sum(int(row[name]) for row in rows)


_HEAD = """\
# Reliability

Processes are killed, disks fill up, files are damaged, and people mistype. This page lists what
isthmus guarantees in these cases, and how often it was tested by randomised trials. To repeat them:

    make torture                                              # 20 minutes, all kinds
    python -m benchmarks.torture --minutes 2 --kind kills,disk
    python -m benchmarks.torture --kind runs --seed 0 --trial 17   # repeat one trial

A trial *survives* if the result is as if nothing had happened, or if there is an error of one
sentence from isthmus. Otherwise it *fell*: by a *silent difference* (another result without a
message), a *foreign error* (another library's error or warning, or more than one line), a *hang*
(over ten seconds), or because data were *lost* (neither the old state nor the new one, or a file
that is not ours).
"""

_FOOT = """\
## Threads, processors, machines

- **In threads of one process** every result is bit for bit the same as without threads: trainings
  wait for each other, and random draws outside of a training have their own generator.
- **With another number of threads** for torch, small fully connected and recurrent members give
  the same bits, since they train on one thread. Convolutions sum in another order: with one, two
  and four threads, weights of NVAE, VQVAE and VQVAE2 differed by less than a millionth after two
  epochs on digits, and such differences grow during training.
  Set `OMP_NUM_THREADS` to compare bit for bit.
- **On another machine**, another version of torch or an accelerator, numbers agree up to rounding,
  and so do the outputs of a run that is saved there and loaded here.

## The trials

- **kills**: a process that saves, fits a prior, writes a detector, exports, trains or compares is
  killed before a random file operation, inside a write at a random byte, or at a random time.
  Then the folder is read, and the same command is started again, which must end as if nothing had
  happened and leave no extra files.
- **runs, checkpoints**: bits, bytes and digits are changed, blocks cut, doubled, zeroed, swapped
  and inserted in every file of the runs of all members with their priors and snapshots, of a
  detector, and of checkpoints; an equal result means equal weights, settings, scaling, history,
  snapshots, prior and outputs.
- **structures**: `config.json` with a node of another type, missing, renamed, deep or huge, and
  weights of other shapes, types and values; with wrong and with forged checksums.
- **sources**: the same damage in CSV, TSV, gzip, Parquet, `.npy`, `.npz`, HDF5, zarr, IDX and
  images, read whole and as streams. These formats have no checksums of isthmus, so a damaged
  file that can still be read may contain other numbers.
- **fields, arrays, commands**: every field of every member and of every part gets values of other
  types, ranges and sizes; every method gets arrays, numbers, lists and tables made by
  [hypothesis](https://hypothesis.readthedocs.io); every option of every command gets words
  of other kinds.
- **disk**: the same commands as for kills, on a small disk that is too small or read-only; if no
  disk can be mounted, with a limit on the size of files.
- **threads**: two to eight threads train, sample, score, load, save and fit priors at once.
- **folders, foreign**: up to three processes save to and load from one folder; commands and
  methods are pointed at folders with other files.

Every trial may take four gigabytes of additional memory, and ten seconds. Classifiers are not
killed: they are not saved to a folder but pickled by the user.
"""
