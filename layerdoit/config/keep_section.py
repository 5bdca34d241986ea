"""What retention keeps: of one kind of images on the engine, and in the registry."""

from __future__ import annotations

from layerdoit.config.kinds import (
    Settings,
    choice,
    integer,
    many,
    optional,
    section,
    setting,
    size,
    span,
    text,
)

_COUNT = integer("a number from 0 to 10000", 0, 10_000)

# Each class has a docstring also because `dataclass` derives a missing one from the signature, which is slow.


class Keep(Settings):
    """What retention keeps of one kind. Without `keep_last` and `max_bytes`, everything."""

    keep_last: int | None = setting(
        optional(_COUNT), None, "Always keep this many of the newest per profile and target; others may be removed."
    )
    max_bytes: int | None = setting(optional(size()), None, "Size limit: the oldest are removed, until the rest fits.")
    min_age: float = setting(
        span(), 0.0, "Never remove anything younger than this, or mounts that were used since then."
    )

    @property
    def idle(self) -> bool:
        """Whether nothing is ever removed."""
        return self.keep_last is None and self.max_bytes is None

    @property
    def floor(self) -> int:
        """How many always stay. A size limit alone leaves one, because keeping none would help nobody."""
        return 1 if self.keep_last is None else self.keep_last


class RegistryKeep(Keep):
    """What retention keeps of one kind in a registry. Without `keep_last` and `max_bytes`, everything."""

    keep_last: int | None = setting(
        optional(_COUNT),
        None,
        "Always keep this many of the newest per profile, target and platform; others may be removed.",
    )
    min_age: float = setting(
        span(), 86_400.0, "Never remove what was built less than this ago: another machine may be about to use it."
    )


class RegistryRetention(Settings):
    """What `doit registry_gc` keeps: by default everything."""

    keep_tags: tuple[str, ...] = setting(
        many(text("a pattern of tags", r"[\w.*?\[\]!-]+"), "patterns of tags"),
        ("latest", "base-latest", "runtime-latest"),
        "Keep what bears a tag that matches one of these patterns (`v*`).",
    )
    protect: tuple[str, ...] = setting(
        many(choice("released", "deployed", "pinned", "branches"), "released, deployed, pinned, branches"),
        ("released", "deployed", "pinned", "branches"),
        "Also keep what `rollback` can go back to (`released`), what runs in any environment (`deployed`), what "
        "`cache_pin` pins on this machine (`pinned`), and the newest app of each branch that exists (`branches`). What "
        "the current tree asks for stays in any case.",
    )
    base: RegistryKeep = section(RegistryKeep, "Base images.")
    deps: RegistryKeep = section(RegistryKeep, "Deps images.")
    app: RegistryKeep = section(RegistryKeep, "App images.")
    artefacts: RegistryKeep = section(RegistryKeep, "Compiled artefacts of the workspace.")
    versions: RegistryKeep = section(RegistryKeep, "Images with tags for people, such as published versions.")

    @property
    def idle(self) -> bool:
        """Whether nothing is ever removed."""
        return all(one.idle for one in (self.base, self.deps, self.app, self.artefacts, self.versions))
