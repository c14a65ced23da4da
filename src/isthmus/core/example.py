"""What one example is: its kind and its shape."""

from __future__ import annotations

Shape = tuple[int, ...]
"""The sizes of one example, code or grid, without the number of examples."""
