"""All kinds of trials, by name; and the groups of them that are asked for together."""

from __future__ import annotations

from benchmarks.torture.commands import Commands
from benchmarks.torture.damaged_runs import DamagedCheckpoints, DamagedRuns
from benchmarks.torture.disk import FullDisks
from benchmarks.torture.folders import ForeignFolders, SharedFolders
from benchmarks.torture.kills import Kills
from benchmarks.torture.sources import DamagedSources
from benchmarks.torture.structures import Structures
from benchmarks.torture.threads import Threads
from benchmarks.torture.trials import Kind
from benchmarks.torture.values import Arrays, Fields
from isthmus.errors import unknown

KINDS: dict[str, type[Kind]] = {
    kind.name: kind
    for kind in (
        Kills,
        DamagedRuns,
        Structures,
        DamagedCheckpoints,
        DamagedSources,
        Fields,
        Arrays,
        Commands,
        FullDisks,
        Threads,
        SharedFolders,
        ForeignFolders,
    )
}


def chosen(words: str | None) -> list[str]:
    """The kinds that a list of kinds and groups names, in the order of the campaign."""
    if words is None:
        return list(KINDS)
    asked = [word.strip() for word in words.split(",")]
    groups = {kind.group for kind in KINDS.values()}
    for word in asked:
        if word not in KINDS and word not in groups:
            raise unknown("kind", word, {*KINDS, *groups})
    return [name for name, kind in KINDS.items() if {name, kind.group} & set(asked)]
