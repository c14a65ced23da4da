"""Parts: what stands in the slots of a member.

A slot (:func:`isthmus.core.fields.slot`) takes a registered name or a configured part, such as
``likelihood="gaussian"`` or ``likelihood=ist.likelihoods.Gaussian(scale=0.1)``. A part is a small
dataclass with declared fields of its own, which builds what does the work.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Self, TypeVar

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, clone

from isthmus.core import fields
from isthmus.core.fields import Field
from isthmus.core.notebook import HTMLCell, as_html, html_table
from isthmus.errors import InputError, InputTypeError, unknown
from isthmus.registry import Registry

_Part = TypeVar("_Part")
_Configurable = TypeVar("_Configurable", bound="Configurable")


class Configurable(BaseEstimator):
    """What has declared fields, some of which may be slots.

    A slot that holds a name has the parameters of the part that the name stands for, so that
    ``set_params(likelihood__scale=0.2)`` works for ``likelihood="gaussian"`` too.

    Fields are stored as they are given until it is fitted; from then on they are checked when they
    are set, and what is refused does not stay.
    """

    _is_fitted = False

    def __new__(cls, *args: Any, **values: Any) -> Self:
        """A name that no field has is refused with the nearest one, before the fields are set."""
        own: type = cls
        names = _names_taken(own)
        if names is not None:
            for name in values:
                if name not in names:
                    raise InputTypeError(str(unknown("field", name, names, cls.__name__)))
        return super().__new__(cls)

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """scikit-learn's, which reads the signature of the constructor for every question."""
        own: type = cls
        names = _names_taken(own)
        return super()._get_param_names() if names is None else sorted(names)

    def __setattr__(self, name: str, value: Any) -> None:
        """A field of what is fitted is checked first."""
        if self._is_fitted and (known := fields.declaration(type(self), name)) is not None:
            self._check_anew(known, value)
        super().__setattr__(name, value)

    def _check_anew(self, declaration: Field, value: Any) -> None:
        """Refuse a value that a field cannot be given now that all is fitted."""
        declaration.check(value)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """What a notebook shows, in place of scikit-learn's diagram of 45 kB, which
        ``sklearn.set_config(display="text")`` leaves out here too.
        """
        bundle = {"text/plain": repr(self)}
        if get_config()["display"] == "diagram":
            bundle["text/html"] = self._html_repr()
        return bundle

    def _html_repr(self) -> str:
        """The page of the above; where scikit-learn looks for it too."""
        settings = HTMLCell(f"<code>{as_html(' '.join(repr(self).split()))}</code>")
        return html_table(
            type(self).__name__, [*self._glance(), ("settings", settings)], is_text=True
        )

    def _glance(self) -> list[tuple[str, object]]:
        """What there is to say at a glance, each with its name."""
        return []

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The values of all fields; with ``deep``, those of parts too, as ``slot__field``."""
        found: dict[str, Any] = super().get_params(deep=deep)
        if deep:
            for name, value, registry in _names_in_slots(self):
                inner = registry[value]().get_params()
                found |= {f"{name}__{key}": held for key, held in inner.items()}
        return found

    def set_params(self, **params: Any) -> Self:
        """Set fields, and ``slot__field`` of the parts in its slots; a name becomes its part first.

        Raises:
            InputError: for a name that is no field, for a field of a part where the slot holds
                none, and, on what is fitted, for a value that cannot be used; nothing is set then.
        """
        before = dict(self.__dict__)
        try:
            self._set(params)
        except InputError:
            self.__dict__.update(before)
            raise
        return self

    def _set(self, params: Mapping[str, Any]) -> None:
        held, declared = self.get_params(deep=False), fields.declared(type(self))
        for key in params:
            self._require_field(key, held, declared)
        super().set_params(**{key: value for key, value in params.items() if "__" not in key})
        nested = {key: value for key, value in params.items() if "__" in key}
        inside = {key.partition("__")[0] for key in nested}
        named = {name: (value, registry) for name, value, registry in _names_in_slots(self)}
        slots = {name: each for name, each in declared.items() if each.registry is not None}
        for name in sorted(inside & set(slots)):
            if name in named:
                value, registry = named[name]
                setattr(self, name, registry[value]())
            elif not isinstance(part := getattr(self, name), BaseEstimator):
                key = next(key for key in nested if key.startswith(f"{name}__"))
                raise InputError(
                    f"{key} is a field of a part, but {name}={part!r} is none: set {name} to the"
                    f" part that has it ({', '.join(slots[name].registry or ())}) first."
                )
            elif self._is_fitted:  # its own part is changed once the copy has been checked
                self.__dict__[name] = clone(part)
        super().set_params(**nested)
        if self._is_fitted:
            for name in inside & set(slots):
                self._check_anew(slots[name], getattr(self, name))

    def _require_field(
        self, key: str, held: Mapping[str, Any], declared: Mapping[str, Field]
    ) -> None:
        """Refuse ``name`` or ``name__field`` where there is no such field, or no part in it."""
        name, _, inner = key.partition("__")
        if name not in held:
            raise unknown("field", name, held, type(self).__name__)
        is_slot = name in declared and declared[name].registry is not None
        if inner and not is_slot and not hasattr(held[name], "set_params"):
            raise InputError(
                f"{key} is a field of a part, but {name}={held[name]!r} is none: leave out"
                f" {'__' + inner!r}."
            )


@dataclass(repr=False)
class SlotPart(Configurable):
    """Something that stands in a slot: a dataclass whose fields are declared with ``field``.

    Fields are stored as they are given, and checked where the part is used: with the member that
    holds it, or by :meth:`validate`.
    """

    def validate(self) -> None:
        """Check every field against its declaration.

        Raises:
            InputError: for a value that cannot be used.
        """
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))


def configured(cls: Callable[..., _Configurable], values: Mapping[str, Any]) -> _Configurable:
    """An instance with some values, of which ``slot__field`` go to the parts in its slots."""
    plain = {key: value for key, value in values.items() if "__" not in key}
    return cls(**plain).set_params(**{key: values[key] for key in set(values) - set(plain)})


def part_of(value: str | _Part, registry: Registry) -> _Part:
    """The part that a slot holds: a name stands for its part with all defaults."""
    if isinstance(value, str):
        built: _Part = registry[value]()
        return built
    return value


def named(part: object, registry: Registry) -> str:
    """The registered name of a part; where it is defined, for one that is not registered."""
    try:
        return registry.name_of(type(part))
    except InputError:
        return f"{type(part).__module__}:{type(part).__qualname__}"


def plain_values(configurable: Any) -> dict[str, Any]:
    """The values of all fields as JSON holds them.

    A part is ``{"name": …, "fields": {…}}``; what JSON cannot hold is given by its name.
    """
    declared = fields.declared(type(configurable))
    return {
        name: _plain(value, declared.get(name))
        for name, value in configurable.get_params(deep=False).items()
    }


def from_plain(values: Mapping[str, Any], declared: Mapping[str, Field]) -> dict[str, Any]:
    """The inverse of :func:`plain_values`, for what JSON can hold.

    Raises:
        InputError: for fields and parts that are not known, and for values that cannot be used.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{values!r} is no table of names and values: write the fields as one.")
    restored = {name: _restored(value, declared.get(name)) for name, value in values.items()}
    fields.validate(restored, declared)
    return restored


def _names_in_slots(configurable: Any) -> list[tuple[str, str, Registry]]:
    """The slots that hold a registered name: name of the slot, that name, and the registry."""
    return [
        (name, value, declaration.registry)
        for name, declaration in fields.declared(type(configurable)).items()
        if declaration.registry is not None
        and isinstance(value := getattr(configurable, name), str)
        and value in declaration.registry
    ]


def _plain(value: Any, declaration: Field | None = None) -> Any:
    registry = None if declaration is None else declaration.registry
    if registry is not None and isinstance(value, Configurable):
        return {"name": named(value, registry), "fields": plain_values(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): str(word) for key, word in value.items()}
    return getattr(value, "__qualname__", type(value).__qualname__)


def _restored(value: Any, declaration: Field | None) -> Any:
    registry = None if declaration is None else declaration.registry
    if registry is not None and isinstance(value, Mapping):
        cls = registry[value["name"]]
        return cls(**from_plain(value["fields"], fields.declared(cls)))
    return tuple(value) if isinstance(value, list) else value


@functools.cache
def _names_taken(cls: type) -> tuple[str, ...] | None:
    """The names that a constructor takes; None where it takes any."""
    _, *taken = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    if any(each.kind is each.VAR_KEYWORD for each in taken):
        return None
    return tuple(each.name for each in taken)
