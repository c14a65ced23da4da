"""The reference has a page for every public name, which says what the declarations say."""

from __future__ import annotations

import ast
import inspect
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

import isthmus as ist
from isthmus.core import fields
from website import public, reference
from website.formulas import mathml
from website.sections import sources


@pytest.fixture(scope="module")
def pages() -> Mapping[str, str]:
    """The sources of the reference by their addresses."""
    return dict(reference.pages())


def test_every_public_name_has_a_page(pages: Mapping[str, str]) -> None:
    names = public.names()
    known = {path for name in names.values() for path in (name.path, *name.aliases)}
    stub = ast.parse(Path(ist.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    (exported,) = (
        ast.literal_eval(node.value)
        for node in stub.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    assert {f"isthmus.{name}" for name in exported} <= known | set(public.modules())
    for name in names.values():
        directive = r"auto(?:class|function|exception)|py:data"
        found = re.findall(
            rf"^\.\. (?:{directive}):: {re.escape(name.path)}$", pages[name.page], re.M
        )
        assert len(found) == 1, name.path


def test_everything_that_is_registered_has_a_page() -> None:
    documented = [id(name.value) for name in public.names().values()]
    missing = [
        f"{name}[{key!r}]"
        for name, known in public.registries().items()
        for key in known
        if id(known[key]) not in documented and name != "DATA"  # which data.load reads by name
    ]
    assert missing == []


def test_the_first_page_lists_every_module(pages: Mapping[str, str]) -> None:
    listed = re.findall(r":doc:`(isthmus[\w.]*)`", pages["api/index"])
    assert sorted(listed) == sorted(public.modules())


@pytest.mark.parametrize("name", ist.MEMBERS)
def test_a_member_says_its_fields_and_what_it_shares(pages: Mapping[str, str], name: str) -> None:
    cls = ist.MEMBERS[name]
    page = pages[f"api/isthmus.{cls.__name__}"]
    own, shared = reference.divided(cls)
    assert {*own, *shared} == set(fields.declared(cls))
    for field in own.values():
        assert f"* - ``{field.name}``" in page
        assert f"``{field.default!r}``" in page
    assert f"And the {len(shared)} fields that all members share" in page
    assert f":doc:`Its page </members/{name}>`" in page
    assert ":py:obj:`save <isthmus.Estimator.save>`" in page


def test_a_field_with_another_default_is_a_members_own() -> None:
    own, shared = reference.divided(ist.VQVAE)
    assert "latent_dim" in own  # 16 where others have None
    assert "epochs" in shared


def test_plain_text_is_no_markup() -> None:
    assert reference.escaped("KL(q(z|x) || p_z) * ``a*b`` :func:`f`") == (
        r"KL(q(z\|x) \|\| p\_z) \* ``a*b`` :func:`f`"
    )


def test_a_formula_is_mathml() -> None:
    made = mathml(r"-\log p(x \mid z)", "block")
    assert made.startswith("<math")
    assert "<mi>log</mi><mspace" in made


def test_every_formula_of_pages_and_docstrings_is_whole() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in sources())
    found = re.findall(r"\$\$(.+?)\$\$", pages, re.DOTALL)
    for name in public.names().values():
        doc = inspect.getdoc(name.value) or ""
        found += re.findall(r"\.\. math:: (.+?)(?:\n\n|\Z)", doc, re.DOTALL)
    assert len(found) > 50
    for formula in found:
        shown = "".join(ElementTree.fromstring(mathml(formula, "block")).itertext())
        assert "\\" not in shown, formula
        written = set(re.sub(r"\\[a-zA-Z]+|[^A-Za-z]", "", formula))
        assert written <= set(unicodedata.normalize("NFKD", shown)), formula
