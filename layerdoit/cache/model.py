"""What this project holds on the engine, as values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from layerdoit.engine.ownership import ANYONE, Owner

if TYPE_CHECKING:
    from layerdoit.engine.mounts import Mount
    from layerdoit.engine.removal import Deployment, Holder
    from layerdoit.layers.reasons import Reason
    from layerdoit.project.checkouts import Checkout


@dataclass(frozen=True)
class ImageUse:
    """An image whose labels name this project. `tags`: those that we gave it, keyed ones last; `others`: the rest.

    An image without its keyed tag has no tags of ours: whatever is built FROM one of ours inherits the labels.
    `made`, `used`: seconds since 1970. `shared`: bytes of `size`. `deps`, `runtime`, `parent`: keys of the images that
    it was made from. `cook`: chain of deps images. `checkout`: digest of where it was compiled. `pin`: the tag that
    protects it. `branch`: git's, that it was first built on; `branch_gone`: no branch that is there asked for it.
    `replaced`: a build of ours made it, and it has no tag any more. `layers`: bytes of each layer, the lowest first; ()
    where they are not known. `elsewhere`: keyed tags, and those beside them, that another configuration of this
    project gave (another image.repository); only of an image that has none of this one's. `owner`: which other project
    of this name made it, where this tree is built on it; '' for ours. Another's image has no tags of ours: nothing here
    clears it. `component`: whose Node or packages it has, '' of Rust's images.
    """

    id: str
    layer: str
    key: str
    tags: tuple[str, ...]
    others: tuple[str, ...] = ()
    size: int = 0
    shared: int = 0
    made: int = 0
    rootfs: tuple[str, ...] = ()
    holders: tuple[Holder, ...] = ()
    runtime: str = ""
    current: bool = False
    deps: str = ""
    parent: str = ""
    cook: str = ""
    variant: str = ""
    checkout: str = ""
    pin: str = ""
    used: int = 0
    branch: str = ""
    branch_gone: bool = False
    replaced: bool = False
    layers: tuple[int, ...] = ()
    elsewhere: tuple[str, ...] = ()
    owner: str = ""
    component: str = ""

    @property
    def name(self) -> str:
        """What a message calls it."""
        last = next(filter(None, (*self.tags[::-1], self.pin, *self.elsewhere[::-1], *self.others[::-1])), "")
        return last or f"<untagged> {self.id.removeprefix('sha256:')[:12]}"


@dataclass(frozen=True)
class Namesake:
    """Another project of the same name on this engine: what says which it is, and how much of it is there."""

    words: str
    images: int = 0
    mounts: int = 0


def layer_of(name: str) -> str:
    """The layer that a name of `Usage.current` is about."""
    return name.partition(" ")[0]


@dataclass(frozen=True)
class Usage:
    """`foreign`: images of others under ours, as layers and size. `current`: keys of the tree as it is, by layer; of
    services, as `app of api`.

    `cold`: why, by layer, for those of them that are not there. `mount`: id of the present checkout's target mount;
    `checkouts`: by digest; `live_tags`: names that those of them which are there give to their newest app. `at`: when
    all that was asked, in seconds since 1970. `owner`: who this project is besides its name; `namesakes`: others of it.
    `layouts`: bytes of the images' copies for other builders. `left`: containers that a folder which is gone deployed;
    no checkout that is there has their deployment.
    """

    project: str
    images: tuple[ImageUse, ...] = ()
    mounts: tuple[Mount, ...] = ()
    foreign: tuple[tuple[tuple[str, ...], int], ...] = ()
    state: Mapping[str, int] = field(default_factory=dict)
    current: Mapping[str, str] = field(default_factory=dict)
    cold: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)
    mount: str = ""
    checkouts: Mapping[str, Checkout] = field(default_factory=dict)
    live_tags: frozenset[str] = frozenset()
    at: float = 0.0
    owner: Owner = ANYONE
    namesakes: tuple[Namesake, ...] = ()
    left: tuple[Deployment, ...] = ()
    layouts: int = 0

    def without(self, containers: Iterable[Deployment]) -> Usage:
        """The same without some containers: what only they need is needed no more."""
        names = {one.name for one in containers}
        kept = (
            replace(image, holders=tuple(one for one in image.holders if one.name not in names))
            for image in self.images
        )
        return replace(self, images=tuple(kept), left=()) if names else self

    def widened(self) -> Usage:
        """The same with what other configurations of this project named as if this one had."""
        wider = (replace(one, tags=(*one.elsewhere, *one.tags), elsewhere=()) for one in self.images)
        return replace(self, images=tuple(wider))

    @property
    def warm(self) -> Mapping[str, bool]:
        """Whether the image that the tree asks for is there, by layer; empty where the tree cannot be read."""
        there = {(image.layer, image.key) for image in self.images if image.tags or image.owner}
        return {name: (layer_of(name), key) in there for name, key in self.current.items()}

    @property
    def gone(self) -> Collection[str]:
        """Digests of the checkouts that are no longer there."""
        return {digest for digest, checkout in self.checkouts.items() if checkout.state == "gone"}
