"""Notebooks are their pages: the same prose, the same code; and some of them run in a kernel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from website import notebooks
from website.sections import DOCS, address

PAGES = notebooks.pages()


def test_course_properties_and_six_members_are_notebooks() -> None:
    places = [address(page) for page in PAGES]
    assert sum(place.startswith("members/") for place in places) == 6
    assert {f"properties/{page.stem}" for page in (DOCS / "properties").glob("*.md")} <= set(places)
    assert any(place.startswith("course") for place in places)


@pytest.mark.parametrize("page", PAGES, ids=address)
def test_a_notebook_is_its_page(page: Path) -> None:
    made = notebooks.notebook(page)
    first, *cells = made.cells
    assert "%pip install" in first.source
    assert 'find_spec("isthmus") is None' in first.source
    assert "://" not in first.source.replace("git+https://github.com", "")
    text = page.read_text(encoding="utf-8")
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    written = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    assert squeezed(re.sub(r"\.savefig\([^()]*\)", "", written)) == squeezed(code)
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert re.findall(r"^#+ .+$", prose, re.MULTILINE) == re.findall(
        r"^#+ .+$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    assert "<!--" not in prose
    assert re.findall(r"\]\((?!https?://|data:|#)[^)]*\)", re.sub(r"`[^`]*`", "", prose)) == []
    assert all(not cell.get("outputs") for cell in cells)


def squeezed(code: str) -> str:
    """Code without the spaces and the brackets' line ends that a formatter puts in."""
    return re.sub(r"\s+", "", re.sub(r"#.*", "", code))


def test_a_figure_that_is_saved_is_shown_instead() -> None:
    code = "a = 1\nist.figures.plane(vae, data).savefig(\n    'x.png'\n)  # a plane\nb = 2\n"
    assert list(notebooks.shown(code)) == [
        "a = 1\nist.figures.plane(vae, data)",
        "b = 2",
    ]


def test_only_python_of_the_page_itself_is_a_cell() -> None:
    text = (
        "# T\n\n```python\nx = 1\n```\n\n- a list\n\n  ```python\n  y = 2\n  ```\n\n"
        "```sh\nls\n```\n"
    )
    found = list(notebooks.parts(text))
    assert [part for is_code, part in found if is_code] == ["x = 1\n"]
    assert "".join(part for _, part in found) == text.replace("```python\nx = 1\n```\n", "x = 1\n")


def test_the_bar_leads_to_the_notebook_and_to_colab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/name")
    text = notebooks.with_bar("# T\n\nprose\n", DOCS / "members" / "vae.md")
    assert 'href="../notebooks/members/vae.ipynb"' in text
    assert "/github/owner/name/blob/gh-pages/notebooks/members/vae.ipynb" in text
    assert "isthmus @ git+https://github.com/owner/name" in notebooks.install()
    assert notebooks.with_bar("# T\n", DOCS / "data.md") == "# T\n"


def test_notebooks_run_in_a_kernel(tmp_path: Path) -> None:
    """Two of them, one behind the other, because a kernel takes seconds to start."""
    nbclient = pytest.importorskip("nbclient")
    made = notebooks.notebook(DOCS / "members" / "ae.md")
    sparse = notebooks.notebook(DOCS / "members" / "sparse.md")
    made.cells = made.cells[1:] + sparse.cells[1:]  # the package is there
    for at, cell in enumerate(made.cells):
        cell.id = f"cell-{at}"
        cell.source = re.sub(r"epochs=\d+", "epochs=1", cell.source)
    nbclient.NotebookClient(
        made, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert all(cell.execution_count for cell in made.cells if cell.cell_type == "code")
