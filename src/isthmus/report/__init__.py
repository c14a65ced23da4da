"""The comparison of several members, and its page."""

from __future__ import annotations

from isthmus.report._compare import Comparison, compare

__all__ = ["Comparison", "compare"]
