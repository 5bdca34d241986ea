"""Images without a tag: which a build of ours made, and which others made of ours."""

from __future__ import annotations

from dataclasses import replace

from layerdoit.cache import replaced
from layerdoit.cache.model import ImageUse
from layerdoit.engine.removal import Holder

STEPS = {
    "new": ("CMD x", "COPY y", "base"),
    "old": ("CMD x", "COPY y", "base"),
    "set": ("ENV z", "CMD x", "COPY y", "base"),
    "deps": ("RUN cook", "base"),
}
NEW = ImageUse("new", "app", "k", ("p:app-k",), rootfs=("b", "n"))
OLD = ImageUse("old", "app", "k", (), rootfs=("b", "o"))
SET = ImageUse("set", "app", "k", (), rootfs=("b", "o"))


def found(*images: ImageUse) -> set[str]:
    return set(replaced.find(images, lambda image: STEPS.get(image, ())))


def test_what_lost_its_tag_to_a_later_build() -> None:
    assert found(NEW, OLD) == {"old"}
    assert found(NEW, replace(OLD, holders=(Holder("c", "running"),))) == {"old"}, "protection is another matter"
    assert found(replace(NEW, key="other"), OLD) == {"old"}, "another tree's, made alike"


def test_what_others_made_of_ours() -> None:
    assert found(NEW, SET) == set(), "a setting more"
    assert found(NEW, OLD, SET) == {"old"}


def test_what_cannot_be_told() -> None:
    assert found(OLD) == set(), "nothing is left to compare it with"
    assert found(replace(NEW, tags=()), OLD) == set(), "neither has its tag"
    assert found(replace(NEW, layer="runtime"), OLD) == set()
    assert found(replace(NEW, id="unknown"), OLD) == set()
    assert found(replace(NEW, id="unknown"), replace(OLD, id="unknown too")) == set()
    assert found(NEW, replace(OLD, layer="")) == found(NEW, replace(OLD, key="")) == set()


def test_what_has_a_tag_is_another_matter() -> None:
    for named in (
        replace(OLD, elsewhere=("q:app-k",)),
        replace(OLD, tags=("p:app-k",)),
        replace(OLD, others=("mine:1",)),
        replace(OLD, pin="p:pinned"),
    ):
        assert found(NEW, named) == set()


def test_few_are_asked() -> None:
    """Without such images none is; else no more than ten of a layer, the one of the same key first."""
    asked: list[str] = []

    def steps(image: str) -> tuple[str, ...]:
        asked.append(image)
        return (image,)

    many = [replace(NEW, id=f"n{n:03}", key=f"k{n}", made=n) for n in range(100)]
    assert replaced.find(many, steps) == frozenset()
    assert asked == []
    assert replaced.find([*many, replace(OLD, key="k7")], steps) == frozenset()
    assert asked == ["old", "n007", *(f"n{n:03}" for n in range(99, 90, -1))]


APP = ("CMD []", 'ENTRYPOINT ["/usr/local/bin/a"]', "USER app", "COPY /layerdoit/out/a /usr/local/bin/", "WORKDIR /srv")


def test_another_configuration_makes_the_same_steps() -> None:
    """More binaries, other variables, another profile: what the configuration says is not what tells whose it is."""
    assert replaced.shape(APP) == replaced.shape(
        ("CMD [-v]", 'ENTRYPOINT ["/usr/local/bin/b"]', "USER root", "ENV A=b", "COPY x y", "COPY z y", "WORKDIR /x")
    )
    cooked, other = (
        ("RUN |2 WORKDIR=. CARGO_ARGS=--profile dev -p a /bin/sh -c sh /ctx/cook", "ARG CARGO_ARGS", "RUN x"),
        ("RUN |2 WORKDIR=. CARGO_ARGS=--release -p b /bin/sh -c sh /ctx/cook", "RUN x"),
    )
    assert replaced.shape(cooked) == replaced.shape(other)


def test_what_others_made_of_ours_has_another_end() -> None:
    for more in ("CMD x", "ENV a=b", "COPY a b", "RUN x", "USER x", 'ENTRYPOINT ["x"]', "LABEL a=b", "EXPOSE 1"):
        assert replaced.shape((more, *APP)) != replaced.shape(APP), more
        assert replaced.shape(("CMD y", more, *APP)) != replaced.shape(APP), more
    ends = ("COPY a b", "RUN x")
    assert replaced.shape(("COPY c d", *ends)) != replaced.shape(ends), "where ours end so, every step counts"
