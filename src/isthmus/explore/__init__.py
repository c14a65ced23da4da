"""The explorer: planes of codes that answer to the pointer, in a page, a notebook, or served."""

from isthmus.explore._page import page

__all__ = ["page"]
