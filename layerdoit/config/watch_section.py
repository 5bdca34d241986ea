"""The settings of `doit watch`."""

from __future__ import annotations

from layerdoit.config.kinds import Settings, boolean, choice, seconds, setting

# It has a docstring also because `dataclass` derives a missing one from the signature, which is slow.


class Watch(Settings):
    """How `doit watch` goes on after an edit."""

    settle: float = setting(
        seconds(0.0),
        2.0,
        "Seconds without a change after which the image of what serves is built and deployed.",
    )
    reload: str = setting(
        choice("restart", "assets"),
        "restart",
        "After a change of assets alone: `restart` starts the program again, `assets` only copies them in, for "
        "programs that read them at each request.",
    )
    overlap: bool = setting(
        boolean(),
        False,
        "After an edit, start the new program as soon as the old one listens no longer, and not only when that has "
        "ended: for programs that may run twice for a moment.",
    )
    logs: bool = setting(boolean(), True, "Show what the service writes between the lines of the watch.")
    stop: bool = setting(boolean(), False, "Remove the container too when the watch ends.")
