"""Runs and other files on the disk."""
