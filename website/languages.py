"""Two languages: each page says which it is in, and leads to its counterpart."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

CHINESE = "zh-Hant"
_PAIRS = {"overview": "overview.zh-TW"}


def language_of(page: str) -> str:
    """The language of a page, by its address."""
    is_chinese = page.startswith(f"course/{CHINESE}/") or page in _PAIRS.values()
    return CHINESE if is_chinese else "en"


def counterpart(page: str) -> str | None:
    """The address of the same page in the other language, where there may be one."""
    both = _PAIRS | {value: key for key, value in _PAIRS.items()}
    if page in both:
        return both[page]
    for here, there in (("course/en/", f"course/{CHINESE}/"), (f"course/{CHINESE}/", "course/en/")):
        if page.startswith(here):
            return page.replace(here, there, 1)
    return None


def add(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Tell the templates the language of a page, and where the other one is.

    From a page that is in one language alone, the other one's name leads to its first page.
    """
    language = language_of(page)
    context["language"] = language
    known = app.env.found_docs
    fallbacks = [f"course/{CHINESE}/unit", "overview.zh-TW", "index"]
    other = [counterpart(page), *(fallbacks if language == "en" else ["index"])]
    target = next(place for place in other if place in known)
    context["other_language"] = {
        "code": "en" if language == CHINESE else CHINESE,
        "title": "English" if language == CHINESE else "繁體中文",
        "url": context["pathto"](target),
    }
