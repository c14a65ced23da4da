"""A trained member sent to a hub: its run without what is of this machine, and a card."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.core.files import write_bytes
from isthmus.core.flags import require_flags
from isthmus.io import cards, hub, runs
from isthmus.registry import DATA

if TYPE_CHECKING:
    from isthmus.estimators.base import Estimator


def publish(
    model: Estimator,
    name: str,
    measured: Mapping[str, str],
    *,
    licence: str = cards.UNKNOWN,
    private: bool = False,
    token: str | None = None,
    message: str = "A run of isthmus",
) -> str:
    """Send a trained member to a hub as ``user/name``; gives the address of what was sent."""
    require_flags(private=private)
    address = hub.Address.of(name)
    model._fitted()
    with tempfile.TemporaryDirectory() as home:
        folder = runs.save(_without_places(model), Path(home) / "run")
        text = cards.hub_card(model, address.name, licence, measured)
        write_bytes(folder / hub.CARD, text.encode())
        return hub.push(folder, name, private=private, token=token, message=message)


def _without_places(model: Estimator) -> Estimator:
    """A copy that does not say where on this machine its data and its checkpoints lay."""
    sent = copy.copy(model)
    source = (model.source_ or {}).get("source")
    sent.source_ = model.source_ if source in DATA else None
    sent.checkpoint_dir = None
    return sent
