"""A browser with windows, where this machine has one."""

from __future__ import annotations

import os
import webbrowser


def open_in_browser(address: str) -> bool:
    """Open an address in the user's browser, and say whether there was one.

    A browser of the terminal (lynx, w3m) would take the terminal over and show no canvas: it counts
    as none, unless the variable ``BROWSER`` names it.
    """
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    is_in_terminal = type(browser) is webbrowser.GenericBrowser and "BROWSER" not in os.environ
    return not is_in_terminal and browser.open(address)
