"""The explorer: planes of codes that answer to the pointer, in a page or a notebook."""

from isthmus.explorer._atlas import write_atlas
from isthmus.explorer._explorer import Explorer, explore

__all__ = ["Explorer", "explore", "write_atlas"]
