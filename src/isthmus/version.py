"""The version, in the one place that packaging and saved runs read."""

__version__ = "0.1.0"
