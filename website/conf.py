"""The settings of Sphinx, which reads what :mod:`website.staging` wrote."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import sphinx.search
from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import isthmus  # noqa: E402
from website import languages, public, reference  # noqa: E402
from website.search import SearchBoth  # noqa: E402

project, author = "isthmus", "the isthmus authors"
copyright = f"{author}, MIT licence"  # Sphinx's name for it
version = release = isthmus.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "sphinx_copybutton",
    "website.formulas",
]
exclude_patterns = ["_extra"]
html_extra_path = ["../build/site-sources/_extra"]
templates_path, html_static_path = ["templates"], ["static"]
highlight_language = "none"

myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline"]
myst_heading_anchors = 4
myst_dmath_double_inline = True
math_numfig = False
html_math_renderer = "mathml"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
napoleon_custom_sections = [("Reference", "References")]
napoleon_use_ivar = True
add_module_names = False
toc_object_entries_show_parents = "hide"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "isthmus"
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_favicon = "static/isthmus.svg"
html_theme_options = {
    "logo": {
        "text": "isthmus",
        "image_light": "_static/isthmus.svg",
        "image_dark": "_static/isthmus.svg",
    },
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "navbar_persistent": [],
    "navbar_end": ["search-button", "languages", "theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "search": [], "gallery/*": [], "code/**": []}


def _shorten(
    app: Sphinx, what: str, name: str, found: Any, options: Any, given: str, returned: str
) -> tuple[str, str] | None:
    """The signature of a class with declared fields shows those of its own alone."""
    short = reference.signature(found) if what == "class" else None
    return (short, "") if short else None


def setup(app: Sphinx) -> None:
    """Connect what is made here."""
    sphinx.search.languages["en"] = SearchBoth
    app.connect("autodoc-process-signature", _shorten)
    app.connect("html-page-context", languages.add)
    public.names()  # everything is imported once, before Sphinx divides the work
