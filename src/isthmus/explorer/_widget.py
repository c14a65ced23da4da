"""The explorer in a notebook: an anywidget, to which Python answers for what the page cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from isthmus.errors import InputError, missing_extra
from isthmus.explorer._answers import Answers
from isthmus.explorer._front import script, style
from isthmus.explorer._shown import Shown


class ExplorerWidget(Protocol):
    """The widget as a notebook's user sees it.

    Attributes:
        code: the code that is shown, ``(code,)``.
        place: which model's it is, counted from 0.
        marked: the row of the example that is marked, −1 for none.
    """

    code: list[float]
    place: int
    marked: int

    def _repr_mimebundle_(self, **options: Any) -> Any: ...


def widget_of(given: Mapping[str, Any], shown: Sequence[Shown]) -> ExplorerWidget:
    """The widget of an explorer.

    Raises:
        MissingExtraError: without the extra ``notebook``.
    """
    answers = Answers(shown)
    made = _widget_class()(given=json.dumps(given, separators=(",", ":")))
    made.on_msg(lambda _, message, buffers: made.send(*answer(answers, message, buffers)))
    widget: ExplorerWidget = made
    return widget


def answer(
    answers: Answers, message: Mapping[str, Any], buffers: Sequence[Any]
) -> tuple[dict[str, Any], list[bytes]]:
    """The answer to a message of the page.

    Args:
        answers: of the networks.
        message: ``id``, ``place`` and ``kind`` of the question.
        buffers: one, the numbers.

    Returns:
        ``id`` and, where there is no answer, an ``error``; and the buffers, one with numbers.
    """
    number = message.get("id")
    try:
        found = answers.answer(int(message["place"]), str(message["kind"]), bytes(buffers[0]))
    except (InputError, LookupError, TypeError, ValueError) as error:
        return {"id": number, "error": str(error)}, []
    return {"id": number}, [found]


@cache
def _widget_class() -> Any:
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise missing_extra("anywidget", "notebook", "the explorer as a widget") from error

    class Widget(anywidget.AnyWidget):
        """The explorer in a cell; ``code``, ``place`` and ``marked`` follow what is touched."""

        _esm = f"{script('widget.js')}\nexport default {{ render }};\n"
        _css = style()
        given = traitlets.Unicode().tag(sync=True)
        code = traitlets.List(traitlets.Float()).tag(sync=True)
        place = traitlets.Int(0).tag(sync=True)
        marked = traitlets.Int(-1).tag(sync=True)

    return Widget
