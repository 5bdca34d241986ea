"""Generators of documentation pages, for developers; not part of the wheel."""
