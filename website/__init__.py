"""The documentation site: ``python -m website`` builds it from the pages in ``docs``."""
