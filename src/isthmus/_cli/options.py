"""From declarations to options: the fields of what is trained, and of the parts in its slots."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from isthmus.core import declarations
from isthmus.core.fields import Field
from isthmus.errors import InputError
from isthmus.registry import Registry

SEED = 0  # a command gives the same numbers when it is given again
SWITCH = "true|false"
_ANY = "*"  # the part of an open slot: any of those that are registered
# The run's folder takes the place of the one, --from that of the other.
_ELSEWHERE = {"checkpoint_dir", "warm_start"}
_PANELS = {
    "Settings": "All members",
    "TrainingSettings": "Training",
    "TrainedPrior": "Training",
    "Prior": "All priors",
    "IndexPrior": "Priors over indices",
    "AutoregressivePrior": "Priors over indices",
}


@dataclass(frozen=True)
class Option:
    """One option: a field, or that field of each part that may stand in a slot.

    Attributes:
        key: the name of the field, or ``slot__field``, as ``set_params`` takes it.
        flag: what is written on the command line.
        owners: the declaration, by the names of the parts in the slots that lead to it: ``()`` for
            a field of what is trained, ``("gaussian",)`` for one of a part.
    """

    key: str
    flag: str
    owners: Mapping[tuple[str, ...], Field]

    @property
    def slot(self) -> str:
        """The key of the slot whose part it belongs to; empty for a field of what is trained."""
        return self.key.rpartition("__")[0]


@dataclass(frozen=True)
class Look:
    """How an option stands in the help."""

    help: str
    metavar: str
    panel: str
    hidden: bool


class Options:
    """The options of a command that takes declared fields.

    A field of a part is an option of its own, which counts where the part is chosen.

    Args:
        declared: the fields of what is trained.
        taken: flags that the command has already.
        words: the command line, which says which parts of other packages may be imported to read
            their fields; None for all.
        is_open: whether a slot that nobody fills counts as filled with any of its parts.
    """

    def __init__(
        self,
        declared: Mapping[str, Field],
        taken: Collection[str] = (),
        words: Sequence[str] | None = None,
        *,
        is_open: bool = False,
    ) -> None:
        self.is_open, self._words = is_open, words
        owners: dict[str, dict[tuple[str, ...], Field]] = {}
        for name, field in declared.items():
            owners[name] = {(): field}
        for name, field in declared.items():
            self._expand(name, field, (), owners)
        flags = _flags(owners, set(taken))
        self.by_key = {key: Option(key, flags[key], found) for key, found in owners.items()}

    def active(self, option: Option, given: Mapping[str, str]) -> Field | None:
        """The declaration that counts under what was ``given``, texts by key.

        None where the part that has it is not chosen.
        """
        chosen = self._chosen(option.slot, given) if option.slot else ()
        if chosen is None:
            return None
        fitting = (
            field
            for names, field in option.owners.items()
            if all(a in (_ANY, b) for a, b in zip(chosen, names, strict=True))
        )
        return next(fitting, None)

    def refusal(self, option: Option, given: Mapping[str, str]) -> InputError:
        """The error for an option of a part that is not chosen."""
        slot = self.by_key[option.slot]
        names = sorted({names[-1] for names in option.owners})
        chosen = self._chosen(option.slot, given) or ("",)
        return not_of(option.flag, names, chosen[-1], slot.flag)

    def given(self, words: Sequence[str]) -> dict[str, str]:
        """The texts that a command line gives to slots, by key."""
        slots = {o.flag: key for key, o in self.by_key.items() if _registry(o) is not None}
        found = {}
        for word, after in zip(words, [*words[1:], ""], strict=True):
            flag, equals, text = word.partition("=")
            if flag in slots:
                found[slots[flag]] = text if equals else after
        return found

    def look(self, option: Option, given: Mapping[str, str]) -> Look:
        """How an option stands in the help, under what was given."""
        field = self.active(option, given)
        shown = field or next(iter(option.owners.values()))
        default = SEED if shown.name == "random_state" else shown.default
        text = ",".join(map(str, default)) if isinstance(default, tuple) else str(default).lower()
        notes = "; ".join(filter(None, (shown.limits, f"default {text}")))
        return Look(
            f"{shown.help} ({notes})", _metavar(shown), self._panel(option, shown, given), not field
        )

    def _panel(self, option: Option, field: Field, given: Mapping[str, str]) -> str:
        chosen = self._chosen(option.slot, given) if option.slot else None
        if chosen is None or chosen[-1] == _ANY or field.owner in _PANELS:
            return _PANELS.get(field.owner, field.owner)
        return f"{option.slot.rpartition('__')[2]} {chosen[-1]}"

    def _chosen(self, slot: str, given: Mapping[str, str]) -> tuple[str, ...] | None:
        """The names of the parts in slots that lead to a field in ``slot``.

        None where one of them is not there.
        """
        option = self.by_key[slot]
        field = self.active(option, given)
        if field is None:
            return None
        before = (self._chosen(option.slot, given) if option.slot else ()) or ()
        if self.is_open and slot not in given and not option.slot:
            return (*before, _ANY)
        if self.is_open and given.get(slot) in (field.choices or ()):
            return (*before, _ANY)
        return (*before, given.get(slot, str(field.default)))

    def _expand(
        self,
        key: str,
        field: Field,
        names: tuple[str, ...],
        owners: dict[str, dict[tuple[str, ...], Field]],
    ) -> None:
        """Add the fields of every part that may stand in a slot."""
        if field.registry is None:
            return
        for name in field.registry:
            fields = plain(self._read(field.registry, name))
            for inner, declaration in fields.items():
                found = owners.setdefault(f"{key}__{inner}", {})
                found[(*names, name)] = declaration
            for inner, declaration in fields.items():
                self._expand(f"{key}__{inner}", declaration, (*names, name), owners)

    def _read(self, registry: Registry, name: str) -> Mapping[str, Field]:
        """The fields of a registered part; none where they cannot be read, as its use will tell."""
        is_meant = self._words is None or any(name in word for word in self._words)
        try:
            return declarations.read(registry.target(name), may_import=is_meant)
        except (InputError, declarations.UnreadableError, SyntaxError):
            if registry.is_own(name) and is_meant:
                raise
            return {}


def not_of(flag: str, owners: Sequence[str], chosen: str, slot: str) -> InputError:
    """The error for a setting of parts other than the chosen one: it would change nothing."""
    return InputError(
        f"{flag} is a setting of {' and '.join(map(repr, owners))}, not of {chosen!r}: leave it"
        f" out, or choose another {slot}."
    )


def plain(declared: Mapping[str, Field]) -> dict[str, Field]:
    """The fields that can be written on a command line."""
    return {name: d for name, d in declared.items() if d.is_plain and name not in _ELSEWHERE}


def _flags(
    owners: Mapping[str, Mapping[tuple[str, ...], Field]], taken: set[str]
) -> dict[str, str]:
    """A flag for every key: ``--field``, or ``--slot-field`` where the short one is taken."""
    flags: dict[str, str] = {}
    for key in sorted(owners, key=lambda key: key.count("__")):  # stable: order of declaration
        *slots, name = key.replace("_", "-").split("--")
        flag = f"--{name}"
        while flag in taken:
            if not slots:
                raise InputError(f"the option {flag} is there twice: rename the field {key!r}.")
            flag = f"--{slots.pop()}-{flag[2:]}"
        flags[key] = flag
        taken.add(flag)
    return flags


def _registry(option: Option) -> Registry | None:
    return next(iter(option.owners.values())).registry


def _metavar(field: Field) -> str:
    kinds = {"tuple[int, ...]": "N,N,…", "int": "N", "float": "X", "str": "NAME", "bool": SWITCH}
    kinds |= {"tuple[float, ...]": "X,X,…", "dict[str, str]": "NAME=WORD,…"}
    if field.names:
        kinds["str"] = "|".join(field.names)
    return "|".join(kinds[kind] for kind in field.alternatives if kind in kinds)
