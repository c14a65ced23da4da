"""Build the site: ``python -m website [OUT]``; a warning is an error."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from time import perf_counter

from sphinx.cmd.build import build_main

from website import links, staging
from website.sections import ROOT, sources

BUILD = ROOT / "build"


def main(out: Path) -> int:
    """Build the site into a folder; the exit status is that of Sphinx."""
    start = perf_counter()
    staging.stage(BUILD / "site-sources")
    shutil.rmtree(out, ignore_errors=True)
    status = build_main(
        [
            *("-b", "html", "-W", "--keep-going", "-q", "-j", "2", "-E"),
            *("-c", str(Path(__file__).parent), "-d", str(BUILD / "site-doctrees")),
            *(str(BUILD / "site-sources"), str(out)),
        ]
    )
    found = {link for page in sources() for link in links.external(page.read_text("utf-8"))}
    (BUILD / "external-links.txt").write_text("".join(f"{link}\n" for link in sorted(found)))
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
    print(
        f"{out / 'index.html'}: {size:.1f} MB, {len(list(out.rglob('*.html')))} pages in"
        f" {perf_counter() - start:.0f} s; links to the net, which were not followed, are in"
        f" {BUILD / 'external-links.txt'}"
    )
    return int(status)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else BUILD / "site"))
