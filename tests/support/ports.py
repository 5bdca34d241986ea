"""Ports of the services that the tests deploy: each worker of pytest-xdist has a range of its own.

A port is nobody's for some milliseconds while a container is replaced, and a search for a free one would find it.
"""

from __future__ import annotations

import os
from typing import Final

PORT: Final = 8080 + 1000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""What a test's service listens on, and the first port that a deployment is published on."""
