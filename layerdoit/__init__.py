"""layerdoit: Rust projects as container images in three content-keyed layers, for the task runner doit.

In a `dodo.py`:

    from layerdoit import task_layerdoit                              # the project beside the dodo.py
    task_api = layerdoit.tasks("services/api", prefix="api")          # another one, its tasks named api:image, …
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layerdoit.tasks import task_layerdoit, tasks

__all__ = ["task_layerdoit", "tasks"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        from importlib import import_module

        module = import_module("layerdoit.tasks")
        # The import itself has bound `tasks` to the module of that name: from now on it is the function.
        globals().update({public: getattr(module, public) for public in __all__})
        return globals()[name]
    raise AttributeError(f"module 'layerdoit' has no attribute '{name}'")
