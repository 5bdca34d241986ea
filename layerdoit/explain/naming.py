"""What a word of `--from` or `--to` means: a key or its beginning, a tag, a git revision, `tree`, `last`, `before`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import listed, nearest
from layerdoit.layers.key import TAG_DIGITS
from layerdoit.project.commits import Commit

if TYPE_CHECKING:
    from layerdoit.engine.images import Image

TREE: Final = "tree"
LAST: Final = "last"
BEFORE: Final = "before"
_KEY = re.compile(r"(?:(base|runtime|deps|app)-)?([0-9a-f]{4,64})")
_SHOWN = 6


@dataclass(frozen=True)
class Gone:
    """A key that was built or found here, of which no image is left."""

    layer: str
    key: str


def of_images(word: str, images: Iterable[Image], repository: str, layer: str | None) -> list[Image]:
    """Images that the word may mean, each layer and key once: by tag, or by the beginning of their key."""
    found: dict[tuple[str, str], Image] = {}
    prefix = _KEY.fullmatch(word)
    for image in images:
        named = word in image.tags or f"{repository}:{word}" in image.tags
        if not named and prefix is not None and image.keyed_tag is not None:
            own = image.label("layer")
            named = image.label("key").startswith(prefix[2]) and own == (prefix[1] or layer or own)
        if named and image.label("key"):
            found.setdefault((image.label("layer"), image.label("key")), image)
    return list(found.values())


def of_keys(word: str, keys: Mapping[str, str], images: Sequence[Image], layer: str | None) -> list[Gone]:
    """Remembered keys that the word may mean and that no image has."""
    prefix = _KEY.fullmatch(word)
    if prefix is None:
        return []
    there = {(image.label("layer"), image.label("key")) for image in images}
    return [
        Gone(name, key)
        for name, key in sorted(keys.items())
        if key.startswith(prefix[2]) and name == (prefix[1] or layer or name) and (name, key) not in there
    ]


def one(option: str, word: str, found: Sequence[Image | Gone | Commit]) -> Image | Gone | Commit | None:
    """The only meaning; None where there is none. Several are an error that lists them."""
    if len(found) < 2:
        return next(iter(found), None)
    lines = "\n".join(f"  {described(meaning)}" for meaning in found[:_SHOWN])
    more = f"\n  and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise ConfigError(
        f'{option} "{word}" is ambiguous:\n{lines}{more}',
        hint="give more digits, the layer (app-1a2b…), a whole tag (name:tag), or refs/heads/… for a branch",
    )


def described(meaning: Image | Gone | Commit) -> str:
    """One meaning, for people."""
    if isinstance(meaning, Gone):
        return f"{meaning.layer}-{meaning.key[:TAG_DIGITS]} (its image is gone)"
    return meaning.words if isinstance(meaning, Commit) else image_words(meaning)


def image_words(image: Image) -> str:
    """An image: its keyed tag, else another one, and when it was built."""
    tag = image.keyed_tag or next(iter(image.tags), image.id[:19])
    built = image.label("built")
    return f"image {tag}" + (f", built {built}" if built else "")


def unknown(option: str, word: str, images: Sequence[Image], refs: Sequence[str]) -> ConfigError:
    """The error for a word that means nothing here: the nearest names, else the newest ones."""
    names = [tag.rsplit(":", 1)[-1] for image in images for tag in image.tags]
    near = nearest(word, [*names, *refs], 3, 0.7)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif names:
        hint = f"known: {listed(names, _SHOWN)}, and the commits of this repository"
    else:
        hint = "there are no images of this project here; a git revision, `tree` and `last` work without"
    return ConfigError(f'{option} "{word}" is not a key, tag or git revision here', hint=hint)
