"""Attack the package, and say what survived.

    python -m benchmarks.torture --minutes 20 --seed 0         # all kinds
    python -m benchmarks.torture --minutes 2 --kind kills,disk
    python -m benchmarks.torture --kind runs --seed 0 --trial 17   # one trial again
    python -m benchmarks.torture --keep                        # and keep the figures
    python -m benchmarks.torture page                          # docs/reliability.md from those

The exit status is 1 where anything fell.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.torture import kinds
from benchmarks.torture.campaign import campaign
from benchmarks.torture.page import PAGE, keep, kept_rows, page
from isthmus.errors import InputError


def main(words: list[str]) -> int:
    chosen = _options().parse_args(words)
    if chosen.action == "page":
        PAGE.write_text(page(kept_rows()), encoding="utf-8")
        return 0
    only = {} if chosen.trial is None else {"trials": range(chosen.trial, chosen.trial + 1)}
    found = []
    for tally in campaign(kinds.chosen(chosen.kind), 60 * chosen.minutes, chosen.seed, **only):
        print(tally, flush=True)
        found.append(tally)
        if chosen.keep:
            keep([tally])
    fallen = sum(tally.trials - tally.survivors + len(tally.broken) for tally in found)
    print(f"{sum(tally.trials for tally in found):,} trials, {fallen:,} fell")
    return int(fallen > 0)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.torture", description="Attack the package."
    )
    parser.add_argument("action", nargs="?", choices=("run", "page"), default="run")
    parser.add_argument("--minutes", type=float, default=20, help="how long trials are made")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same trials")
    parser.add_argument("--kind", help=f"kinds or groups, with commas: {', '.join(kinds.KINDS)}")
    parser.add_argument("--trial", type=int, help="this trial alone, to see it again")
    parser.add_argument(
        "--keep", action="store_true", help="keep the figures in benchmarks/results/torture.jsonl"
    )
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except InputError as error:
        sys.exit(str(error))
