"""Processes that are killed while they write: at every moment there is the old state or the new."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

from benchmarks.torture import writers
from benchmarks.torture.deaths import Death, forked
from benchmarks.torture.trials import Kind, Outcome, Verdict, judged
from benchmarks.torture.writers import ABSENT, Writer, drawn, left_over
from isthmus.core.claims import LOCK
from isthmus.core.editions import is_leftover


class Kills(Kind):
    """Something is written by a process that is killed; then it is read, and written again."""

    name = "kills"
    group = "kills"
    promise = (
        "A process killed at any moment leaves what was there, whole, or what it was writing,"
        " whole; and the same command, given again, ends as if nothing had happened."
    )
    target = 200
    share = 4.0
    breath = 120.0  # a comparison is made four times

    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        writer = drawn(draw, self.folder / "place")
        acts, seconds, old, new = self._known(writer)
        death = _death(draw, acts, seconds)
        what = f"{writer.name} {death}"
        ended = forked(writer.write_new, writer.place, death)
        if not ended.killed and ended.status:
            yield Outcome(Verdict.FOREIGN, what, ended.error or f"status {ended.status}")
            return
        yield _read(what, writer, {old, new})
        yield self._finished(f"{what}, and again", writer, new)

    def _known(self, writer: Writer) -> tuple[int, float, str, str]:
        """How many acts the new state takes, how long, and what both states are; then the old."""
        writer.write_old()
        old = writer.state()
        ended = forked(writer.write_new, writer.place)
        if ended.status:
            raise RuntimeError(f"{writer.name} does not work: {ended.error or ended.status}")
        new = writer.state()
        writers.emptied(writer.place)
        writer.write_old()
        return ended.acts, ended.seconds, old, new

    def _finished(self, what: str, writer: Writer, new: str) -> Outcome:
        """Write once more: nothing that the dead process left may stand in the way, or stay.

        What lies in a folder of somebody else's goes when it is older than an hour.
        """
        for path in writer.place.rglob("*"):
            if is_leftover(path):
                os.utime(path, (0, 0))
        ended = forked(writer.write_new, writer.place)
        if ended.status:
            return Outcome(Verdict.LOST, what, ended.error or f"status {ended.status}")
        if left := left_over(writer.out, lambda path: is_leftover(path) or path.name == LOCK):
            return Outcome(Verdict.LOST, what, f"left over: {', '.join(left)}")
        return judged(what, writer.state, lambda now: now == new)


def _death(draw: random.Random, acts: int, seconds: float) -> Death:
    """Between two acts, in a write, or at any moment."""
    kind = draw.random()
    if kind < 0.5:
        return Death(act=draw.randrange(max(acts, 1)))
    if kind < 0.75:
        return Death(byte=int(2 ** draw.uniform(0, 18)))
    return Death(after=draw.uniform(0, seconds))


def _read(what: str, writer: Writer, allowed: set[str]) -> Outcome:
    """Whether a reader finds one of the states that are allowed."""
    found = judged(what, writer.state, lambda now: now in allowed)
    if found.survived and found.verdict == Verdict.REFUSED and ABSENT not in allowed:
        return Outcome(Verdict.LOST, what, found.said, found.where)
    if found.verdict == Verdict.DIFFERENT:
        return Outcome(Verdict.LOST, what, "neither the old state nor the new one")
    return found
