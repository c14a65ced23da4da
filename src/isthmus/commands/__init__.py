"""The commands, by what they are for; :mod:`isthmus.cli` puts them together."""
