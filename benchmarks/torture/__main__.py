"""Attack the package, and say what survived.

    python -m benchmarks.torture --minutes 20 --seed 0         # all kinds
    python -m benchmarks.torture --minutes 2 --kind kills,disk
    python -m benchmarks.torture --kind runs --seed 0 --trial 17   # one trial again
    python -m benchmarks.torture page                          # docs/reliability.md

The exit status is 1 where anything fell.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.torture import kinds
from benchmarks.torture.campaign import campaign
from isthmus.errors import InputError


def main(words: list[str]) -> int:
    chosen = _options().parse_args(words)
    trials = None if chosen.trial is None else range(chosen.trial, chosen.trial + 1)
    found = campaign(kinds.chosen(chosen.kind), 60 * chosen.minutes, chosen.seed, trials=trials)
    fallen = sum(tally.trials - tally.survivors for tally in found)
    print(f"{sum(tally.trials for tally in found)} trials, {fallen} fell")
    return int(fallen > 0)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.torture", description="Attack the package."
    )
    parser.add_argument("--minutes", type=float, default=20, help="how long it may take")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same trials")
    parser.add_argument("--kind", help=f"kinds or groups, with commas: {', '.join(kinds.KINDS)}")
    parser.add_argument("--trial", type=int, help="this trial alone, to see it again")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except InputError as error:
        sys.exit(str(error))
