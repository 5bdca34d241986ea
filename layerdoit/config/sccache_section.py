"""The settings of a store that compilers share: sccache in cooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from layerdoit.config.deploy_checks import Contradiction
from layerdoit.config.kinds import Invalid, Kind, Node, Settings, optional, section, setting, text

_HOST = r"(?:[\w.-]+|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?"
_KINDS: Final = ("redis", "s3", "webdav")
_OTHERS: Final = ("prefix", "program", "credentials")


def _address(example: str, pattern: str) -> Kind:
    """An address without a login."""
    form = text(f"an address such as {example}", pattern)

    def parse(node: Node) -> str:
        if "@" in node.text or "?" in node.text:
            hint = (
                "give what is secret in the environment (SCCACHE_REDIS_PASSWORD, AWS_SECRET_ACCESS_KEY, "
                "SCCACHE_WEBDAV_TOKEN …), or in the file that deps.sccache.credentials names"
            )
            # The value is not shown.
            raise Invalid(node, f"a login has no place in an address: {example} is one without", hint=hint)
        return str(form.parse(node))

    return form._replace(parse=parse)


# Each class has a docstring also because `dataclass` derives a missing one from the signature, which is slow.


class S3(Settings):
    """A bucket."""

    bucket: str | None = setting(optional(text("a bucket name", r"[\w.-]+")), None, "Name of the bucket.")
    region: str | None = setting(optional(text("a region", r"[\w-]+")), None, "Region of the bucket.")
    endpoint: str | None = setting(
        optional(_address("https://s3.example.com", rf"https?://{_HOST}/?")),
        None,
        "Address of a service that speaks S3; default: that of AWS.",
    )

    @property
    def given(self) -> bool:
        """Whether anything is set."""
        return self != S3()


class Sccache(Settings):
    """A store that compilers share."""

    redis: str | None = setting(
        optional(_address("redis://cache.example.com:6379", rf"rediss?://{_HOST}(?:/\d{{0,3}})?")),
        None,
        "Address of a Redis server, as builds reach it, without a login: `redis://cache.example.com:6379`.",
    )
    s3: S3 = section(S3, "A bucket, instead.")
    webdav: str | None = setting(
        optional(_address("https://cache.example.com/dav", rf"https?://{_HOST}(?:/\S*)?")),
        None,
        "Address of a WebDAV server, instead.",
    )
    prefix: str | None = setting(
        optional(text("a prefix of letters, digits and . _ / -", r"[\w./-]+")),
        None,
        "What the names of all entries begin with, where others use the store too.",
    )
    program: str = setting(
        text("a path, or the name of a program", r"\S(.*\S)?"),
        "sccache",
        "sccache of this machine, a path or a name on PATH: builds get it. Where there is none that works in the "
        "builder, the builder's own is taken (`base.packages`, `base.image`).",
    )
    credentials: str | None = setting(
        optional(text("the path of a file", r"\S(.*\S)?")),
        None,
        "File with lines such as `SCCACHE_REDIS_PASSWORD=…`, which git ignores; those of the environment come first.",
    )

    @property
    def kind(self) -> str | None:
        """Which kind of store is used; None without one."""
        return next((name for name in _KINDS if self._is_given(name)), None)

    def _is_given(self, name: str) -> bool:
        return self.s3.given if name == "s3" else getattr(self, name) is not None

    def contradictions(self, env: Mapping[str, str]) -> Iterator[Contradiction]:
        """What cannot be. `env`: the variables of cargo."""
        if self.kind and env.get("RUSTC_WRAPPER"):
            problem = "env.RUSTC_WRAPPER and deps.sccache would both start the compilers of a cook"
            yield Contradiction("env.RUSTC_WRAPPER", problem, "remove one of them")
        given = [name for name in _KINDS if self._is_given(name)]
        if len(given) > 1:
            problem = f"deps.sccache names {len(given)} stores ({', '.join(given)}), and one is used"
            second = "s3.bucket" if given[1] == "s3" else given[1]
            yield Contradiction(f"deps.sccache.{second}", problem, f"remove all but {given[0]}, or all but another one")
        if self.s3.given and self.s3.bucket is None:
            other = "region" if self.s3.region else "endpoint"
            problem = "deps.sccache.s3 names no bucket"
            yield Contradiction(f"deps.sccache.s3.{other}", problem, "set deps.sccache.s3.bucket")
        if not given and self != Sccache():
            other = next(name for name in _OTHERS if getattr(self, name) != getattr(Sccache(), name))
            problem = "deps.sccache names no store"
            yield Contradiction(f"deps.sccache.{other}", problem, f"set one of {', '.join(_KINDS)}, or remove it")
