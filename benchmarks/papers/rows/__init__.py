"""The rows, by what they measure; a file is imported here to be known, in the order of the page."""

# ruff: noqa: I001, F401
from benchmarks.papers.rows import reconstruction
from benchmarks.papers.rows import classification
from benchmarks.papers.rows import masked
from benchmarks.papers.rows import few_labels
from benchmarks.papers.rows import clusters
from benchmarks.papers.rows import one_class
from benchmarks.papers.rows import likelihood
from benchmarks.papers.rows import matching
from benchmarks.papers.rows import regularised
from benchmarks.papers.rows import disentangling
from benchmarks.papers.rows import quantised
from benchmarks.papers.rows import codebooks
from benchmarks.papers.rows import hierarchy
from benchmarks.papers.rows import sound
from benchmarks.papers.rows import files
from benchmarks.papers.rows import diffusion
from benchmarks.papers.rows import dictionaries
