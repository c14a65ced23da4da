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
# What can be relied on when things go wrong

Processes are killed, disks fill up, files are damaged, and people mistype. What is promised then
is attacked by a campaign that anybody can run again, and the figures below are from one:

    make torture                                              # 20 minutes, all kinds
    python -m benchmarks.torture --minutes 2 --kind kills,disk
    python -m benchmarks.torture --kind runs --seed 0 --trial 17   # one trial once more

A trial *survives* where everything is as if nothing had happened, or where the package refuses in
one sentence of its own. Else it fell: by a *silent difference* (another result, and no word of
it), a *foreign error* (another library's error or warning, or more than one line), a *hang* (over
ten seconds), or because something was *lost* (neither the old state nor the new one, or a file of
somebody else's).
"""

_FOOT = """\
## Threads, processors, machines

- **In threads of one process** every result has the bits that it has alone: trainings wait for each
  other, and what draws outside of one has a generator of its own.
- **With another number of threads** for torch, small fully connected and recurrent members end in
  the same bits: such a training takes one thread by itself. Members of convolutions add their sums
  in another order: with one, two and four threads, weights of NVAE, VQVAE and VQVAE2 differed by
  less than a millionth after two epochs on digits, and such differences grow as training goes on.
  Set `OMP_NUM_THREADS` to compare bit for bit.
- **On another machine**, another version of torch or an accelerator, numbers agree to rounding; a
  run that is saved there loads here and answers as there but for that.

## How it attacks

- **kills**: a process that saves, fits a prior, writes a detector, exports, trains or compares is
  killed before a drawn act on a file, inside of a write at a drawn byte, or at a drawn moment.
  Then the folder is read, and the same is started again, which must end as if nothing had
  happened and leave nothing over.
- **runs, checkpoints**: bits, bytes and digits are changed, blocks cut, doubled, zeroed, swapped
  and inserted in every file of the runs of all members with their priors and snapshots, of a
  detector, and of checkpoints; an equal result means equal weights, settings, scaling, history,
  snapshots, prior and outputs.
- **structures**: `config.json` with a node of another type, missing, renamed, deep or huge, and
  weights of other shapes, types and values; as they are, and forged with all checksums.
- **sources**: the same damage in CSV, TSV, gzip, Parquet, `.npy`, `.npz`, HDF5, zarr, IDX and
  images, read whole and as streams. These formats have no checksum of ours: what can still be
  read may hold other numbers, and no file is safer than its format.
- **fields, arrays, commands**: every field of every member and of every part gets values of other
  types, ranges and sizes; every method gets arrays, numbers, lists and tables that
  [hypothesis](https://hypothesis.readthedocs.io) makes; every option of every command gets words
  of other kinds.
- **disk**: what the kills write, on a small disk of its own that has room for a part of it or is
  read-only; where no disk can be mounted, under a limit on the size of files.
- **threads**: two to eight threads train, sample, score, load, save and fit priors at once.
- **folders, foreign**: up to three processes save to and load from one folder; commands and
  methods are sent to where others' files lie.

Every trial may take four gigabytes of memory beside what was taken before, and ten seconds. A
classifier is not among what is killed: it is not saved to a folder but pickled by whoever wants
that.
"""
