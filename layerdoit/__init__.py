"""layerdoit: Rust projects as container images in three content-keyed layers, for the task runner doit.

In a `dodo.py`:

    from layerdoit import task_layerdoit                              # the project beside the dodo.py
    task_api = layerdoit.tasks("services/api", prefix="api")          # another one, its tasks named api:image, …
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from layerdoit.core.version import __version__

if TYPE_CHECKING:
    from layerdoit.front.tasks import task_layerdoit, tasks

__all__ = ["__version__", "task_layerdoit", "tasks"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'layerdoit' has no attribute '{name}'{_meant(name)}")
    collecting = gc.isenabled()
    gc.disable()  # what is imported stays: to look through it for garbage takes 5 ms
    try:
        from layerdoit.front import tasks as front_tasks
    finally:
        if collecting:
            gc.freeze()
            gc.enable()
    return getattr(front_tasks, name)


def _meant(name: str) -> str:
    """What a dodo.py may have meant. Python asks for our own modules, too, so nothing is imported for a guess."""
    near = "task_layerdoit" if "layer" in name else "tasks" if name.lower().startswith("ta") else ""
    return f". Did you mean: '{near}'?" if near else ""
