"""Runs on a hub, by huggingface_hub: fetched with nothing trusted but safetensors and JSON, and
pushed with a card.

A name is ``user/name``, or ``user/name@revision`` for a branch, a tag or a commit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.core import editions, files
from isthmus.core.memory import in_words
from isthmus.errors import InputError, RunError, missing_extra
from isthmus.io.manifests import CONFIG, FILES, WEIGHTS, require_member

PREFIX = "hub:"
CARD = "README.md"
_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_REVISION = re.compile(r"[\w.][\w./-]*")
_LARGEST_CONFIG = 64 * 2**20  # bytes
_LARGEST = 4 * 2**30  # bytes of all files of a run
_PUSHED = ("*.safetensors", "*.json", "*.jsonl", CARD)


class Address(NamedTuple):
    """Where a run lies on a hub.

    Attributes:
        name: ``user/name``.
        revision: a branch, a tag or a commit; None for the newest.
    """

    name: str
    revision: str | None = None

    @classmethod
    def of(cls, text: str) -> Address:
        """The address that a user writes.

        Raises:
            InputError: for another form.
        """
        name, at, revision = text.removeprefix(PREFIX).partition("@")
        fits = _NAME.fullmatch(name) and not {".", ".."} & set(name.split("/"))
        if not fits or (at and not _REVISION.fullmatch(revision)) or ".." in revision:
            raise InputError(
                f"{PREFIX}{text.removeprefix(PREFIX)} is no name on a hub: write hub:user/name, or"
                " hub:user/name@revision for a branch, a tag or a commit."
            )
        return cls(name, revision if at else None)

    def __str__(self) -> str:
        return PREFIX + self.name + (f"@{self.revision}" if self.revision else "")


def fetched(text: str) -> Path:
    """The folder of this machine that holds a run of a hub, which is fetched where it is not here.

    Fetched are the configuration and the files that it names, and of these weights, history,
    snapshots and prior alone. Where the hub cannot be reached, what was fetched before is used.

    Raises:
        InputError: for what is no name on a hub.
        RunError: for a repository that is not there, is private, or holds something else.
        MissingExtraError: where huggingface_hub is not installed.
    """
    address = Address.of(text)
    library = _library(f"loading {address}")
    with _speaking(address):
        sizes = _sizes(library, address)
        config = _file(library, address, sizes is None, CONFIG)
        commit = Address(address.name, config.parent.name)  # that a branch stands for now
        for name in _listed(config, sizes, address):
            _file(library, commit, sizes is None, name)
    return config.parent


def _sizes(library: Any, address: Address) -> dict[str, int] | None:
    """The bytes of each file of a repository; None where the hub cannot be reached."""
    try:
        found = library.HfApi(endpoint=_endpoint()).model_info(
            address.name, revision=address.revision, files_metadata=True
        )
    except Exception as error:
        if not _is_unreachable(error):
            raise
        return None
    sizes = {each.rfilename: each.size or 0 for each in found.siblings or []}
    if CONFIG not in sizes:
        raise RunError(f"{address} is no run of isthmus: the repository holds no {CONFIG}.")
    if sizes[CONFIG] > _LARGEST_CONFIG:
        raise RunError(
            f"{address} is no run of isthmus: its {CONFIG} has {in_words(sizes[CONFIG])}."
        )
    return sizes


def _listed(config: Path, sizes: Mapping[str, int] | None, address: Address) -> list[str]:
    """The files that a configuration names, which are fetched with it."""
    try:
        entries = editions.entries_of(said := files.read_json(config), config.parent)
        require_member(said, config.parent)
    except RunError as error:
        raise RunError(f"{address} is refused: {error}") from error
    foreign = [name for name in entries if name not in FILES]
    if foreign or WEIGHTS not in entries:
        named = f"names {foreign[0]!r}" if foreign else f"does not name {WEIGHTS}"
        raise RunError(
            f"{address} is refused: its {CONFIG} {named}, and of a hub only {', '.join(FILES)} are"
            " fetched."
        )
    total = sum(entry["bytes"] for entry in entries.values())
    if sizes is not None:
        total = max(total, sum(sizes.get(name, 0) for name in entries))
    if total > _LARGEST:
        raise RunError(
            f"{address} is refused: its files have {in_words(total)}, and of a hub"
            f" {in_words(_LARGEST)} are fetched at most: fetch it by hf download, and load the"
            " folder."
        )
    there = [path.name for path in config.parent.iterdir()] if sizes is None else list(sizes)
    return [name for name in entries if name in there]


def _file(library: Any, address: Address, is_here: bool, name: str) -> Path:
    """A file of a repository: fetched, or from what was fetched before, where all ``is_here``."""
    found: str = library.hf_hub_download(
        address.name,
        name,
        revision=address.revision,
        endpoint=_endpoint(),
        cache_dir=os.environ.get("HF_HUB_CACHE"),
        local_files_only=is_here,
    )
    return Path(found)


def push(folder: Path, text: str, *, private: bool, token: str | None, message: str) -> str:
    """Send the run of a folder, and its card, to a hub; gives the address of what was sent.

    The repository is made where it is not there. A revision is a branch, made likewise.

    Raises:
        InputError: for what is no name on a hub; where there is no token, or one that may not
            write; and where the hub cannot be reached.
        MissingExtraError: where huggingface_hub is not installed.
    """
    address = Address.of(text)
    library = _library(f"pushing to {address}")
    with _speaking(address):
        api = library.HfApi(endpoint=_endpoint(), token=token)
        api.create_repo(address.name, private=private or None, exist_ok=True)
        if address.revision:
            api.create_branch(address.name, branch=address.revision, exist_ok=True)
        sent = api.upload_folder(
            repo_id=address.name,
            folder_path=folder,
            revision=address.revision,
            commit_message=message,
            allow_patterns=list(_PUSHED),
        )
    return str(Address(address.name, sent.oid))


def _endpoint() -> str | None:
    """The hub that is spoken to, where it is another than huggingface_hub's own."""
    return os.environ.get("HF_ENDPOINT")


def _library(purpose: str) -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise missing_extra("huggingface_hub", "hub", purpose) from error
    return huggingface_hub


def _is_unreachable(error: BaseException) -> bool:
    """Whether an error says that nobody answers; that of a server that does has a response."""
    names = {each.__name__ for each in type(error).__mro__}
    return bool(names & {"ConnectError", "TimeoutException", "OfflineModeIsEnabled"})


@contextmanager
def _speaking(address: Address) -> Iterator[None]:
    """What a hub, or the way to it, has to say, in one sentence."""
    from huggingface_hub import errors

    where = _endpoint() or "the hub"
    login = "log in with hf auth login, or set HF_TOKEN"
    try:
        yield
    except InputError:
        raise
    except errors.GatedRepoError as error:
        raise RunError(f"{address} is gated: ask its owner for access, and {login}.") from error
    except errors.RevisionNotFoundError as error:
        raise RunError(
            f"{address} names a revision that the repository does not have: give a branch, a tag or"
            " a commit of it."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise RunError(
            f"there is no {address.name} on {where}, or it is private: check the name; for a"
            f" private one {login}."
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise RunError(
            f"{address} cannot be fetched, because {where} cannot be reached, and was not fetched"
            " before: try again with a connection."
        ) from error
    except errors.LocalTokenNotFoundError as error:
        raise InputError(f"{address} needs a token: {login}.") from error
    except Exception as error:
        raise _refusal(address, where, error, login) from error


def _refusal(address: Address, where: str, error: Exception, login: str) -> InputError:
    """The sentence for what else a hub, or the way to it, says."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return InputError(
            f"{where} refuses {address} ({status}): {login}, with a token that may do this."
        )
    if _is_unreachable(error):
        return InputError(f"{where} cannot be reached: try again with a connection.")
    said = files.readable(str(error))
    return RunError(f"{where} did not do as asked for {address} ({type(error).__name__}: {said}).")
