"""Where a translated page lags behind the English page that it follows.

    python -m benchmarks.translations           lists what lags; ends with 1 if anything does
    python -m benchmarks.translations renew     after translating: all sections are up to date

Section by section, ``docs/translations.json`` records a digest of the English text that the
translation was last brought up to. Measured numbers and line breaks do not count: the numbers of
all languages come from one run. Code, pictures and measured numbers must be the same in both.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.pages import DOCS, MARKED

ROOT = DOCS.parent
RECORD = DOCS / "translations.json"
PAIRS = {
    "README.zh-TW.md": "README.md",
    "docs/course/zh-Hant/unit.md": "docs/course/en/unit.md",
    "docs/course/zh-Hant/family.md": "docs/course/en/family.md",
    "docs/course/zh-Hant/sound.md": "docs/course/en/sound.md",
    "docs/course/zh-Hant/diffusion.md": "docs/course/en/diffusion.md",
}
_HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```(?:python|sh)\n.*?^```$", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")


@dataclass(frozen=True)
class Section:
    """A part of a page, from one heading to the next.

    Attributes:
        heading: its text, without the signs in front of it.
        level: how many signs those are.
        body: what stands below it.
    """

    heading: str
    level: int
    body: str

    def digest(self) -> str:
        """Of heading and text, without measured numbers and without line breaks."""
        text = MARKED.sub(lambda found: f"<{found[2]}>", f"{self.heading}\n{self.body}")
        return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:12]

    def shared(self) -> dict[str, Counter[str]]:
        """What must be the same in every language, by its name."""
        return {
            "code": Counter(_CODE.findall(self.body)),
            "pictures": Counter(_PICTURE.findall(self.body)),
            "measured numbers": Counter(found[2] for found in MARKED.finditer(self.body)),
        }


def sections(text: str) -> list[Section]:
    """The sections of a page; a line that starts with # in a block of code is no heading."""
    hidden = _FENCE.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)
    heads = list(_HEADING.finditer(hidden))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [
        Section(head[2].strip(), len(head[1]), text[head.end() : end].strip())
        for head, end in zip(heads, ends, strict=True)
    ]


def lagging(original: str, known: dict[str, str]) -> list[str]:
    """The headings of English sections that changed, came or went since the record was made."""
    now = {section.heading: section.digest() for section in sections(original)}
    changed = [heading for heading, digest in now.items() if known.get(heading) != digest]
    return changed + [heading for heading in known if heading not in now]


def unlike(original: str, translation: str) -> list[str]:
    """What a translation has otherwise than its original, a sentence each."""
    pair = sections(original), sections(translation)
    levels = [[section.level for section in page] for page in pair]
    if levels[0] != levels[1]:
        return [f"the headings differ: levels {levels[0]} and {levels[1]}"]
    return [
        f"{name} differ in {ours.heading!r}: {sorted(((a - b) + (b - a)).elements())}"
        for ours, theirs in zip(*pair, strict=True)
        for name, a, b in (
            (name, ours.shared()[name], theirs.shared()[name]) for name in ours.shared()
        )
        if a != b
    ]


def faults() -> Iterator[str]:
    """What is to be done, a sentence each."""
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    for translation, original in PAIRS.items():
        ours, theirs = (_read(name) for name in (original, translation))
        for heading in lagging(ours, record.get(translation, {})):
            yield (
                f"{translation} lags behind {original} in {heading!r}: translate the section, then"
                " run python -m benchmarks.translations renew"
            )
        for sentence in unlike(ours, theirs):
            yield f"{translation}: {sentence}"


def renew() -> None:
    """Record the English sections as they are."""
    record = {
        translation: {section.heading: section.digest() for section in sections(_read(original))}
        for translation, original in PAIRS.items()
    }
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["renew"]:
        renew()
    found = list(faults())
    print("\n".join(found) or "every translation is up to date")
    sys.exit(bool(found))
