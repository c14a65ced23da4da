"""Formulas as MathML, which browsers set by themselves: no script, and nothing from the net."""

from __future__ import annotations

import functools
import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

# the library sets functions without the space that stands between them and what they are of
_APPLIED = re.compile(r"(<mi>(?:log|ln|exp|sin|cos|tanh|det|max|min)</mi>)(?=<m[ifn])")


@functools.cache
def mathml(formula: str, display: str) -> str:
    """A formula of TeX as MathML; the space between a function and what it is of is put in."""
    made = str(convert(formula.replace(r"\arg", r"\mathrm{arg}"), display=display))
    return _APPLIED.sub(r"\1<mspace width='0.17em'/>", made)


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Make it known to Sphinx as the renderer ``mathml``, which keeps nothing between pages."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
