"""The rows, by what they measure; a file is imported here to be known."""

from benchmarks.papers.rows import reconstruction, classification, clusters, likelihood, matching, quantised, hierarchy  # noqa: F401, I001 - the order of the page
