"""Search in English and Chinese: English words by their stems, Chinese text by pairs of letters.

Chinese has no spaces between words. A word of a dictionary would need the dictionary in the page; a
pair of neighbouring letters needs none, and a query finds the pages that have all of its pairs.
"""

from __future__ import annotations

import re

from sphinx.search.en import SearchEnglish

_HAN = r"[\u3400-\u4dbf\u4e00-\u9fff]"
_WORD = re.compile(rf"{_HAN}+|(?:(?!{_HAN})\w)+")


class SearchBoth(SearchEnglish):
    """The English search, to which Chinese text is pairs of letters."""

    js_splitter_code = """
function splitQuery(query) {
  const han = /[\\u3400-\\u4dbf\\u4e00-\\u9fff]/;
  const words = new RegExp(`${han.source}+|(?:(?!${han.source})[\\\\p{L}\\\\p{N}_])+`, "gu");
  return (query.match(words) || []).flatMap((word) =>
    word.length < 2 || !han.test(word)
      ? [word]
      : Array.from({ length: word.length - 1 }, (_, at) => word.slice(at, at + 2)),
  );
}
"""

    def split(self, input: str) -> list[str]:
        """The words of a text; of Chinese, its pairs of letters."""
        return [part for word in _WORD.findall(input) for part in pairs(word)]


def pairs(word: str) -> list[str]:
    """The pairs of neighbouring letters of Chinese text; any other word as it is."""
    if len(word) < 2 or not re.match(_HAN, word):
        return [word]
    return [word[at : at + 2] for at in range(len(word) - 1)]
