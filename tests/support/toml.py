"""TOML that cargo reads and that Python's own reader refuses."""

from __future__ import annotations

from typing import Any

BOM = "\ufeff"

NEW: list[tuple[str, Any]] = [
    ("a = {\n  b = 1,\n  c = [2,],\n}\n", {"a": {"b": 1, "c": [2]}}),
    ("a = { b = 1, }", {"a": {"b": 1}}),
    ("a = { # why\n  b = 1 # so\n , c = 2 }", {"a": {"b": 1, "c": 2}}),
    ('a = "\\e[0m\\x41"', {"a": "\x1b[0mA"}),
    ('a = """\\x41"""', {"a": "A"}),
    (f"{BOM}a = 1", {"a": 1}),
    ("a = 1\r\nb = {\r\n c = 2,\r\n}\r\n", {"a": 1, "b": {"c": 2}}),
]
