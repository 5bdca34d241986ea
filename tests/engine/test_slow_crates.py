"""Which crates took how long in a cook: cargo's own timings, in the history, and nothing of them in the image."""

from __future__ import annotations

from collections.abc import Callable

from layerdoit.history.export import as_json
from tests.engine.test_deps import BYTES, FNV, HTTP, MEMBERS, lock, right, using
from tests.support.checkout import Checkout


def recorded(one: Checkout) -> dict[str, tuple[str, float]]:
    """Crates of the last cook: version and share."""
    told = [run["crates"] for run in as_json(one.root / ".layerdoit") if run["crates"]]
    seconds = [row["seconds"] for row in told[-1]]
    assert seconds == sorted(seconds, reverse=True)
    assert all(seconds)
    return {row["crate"]: (row["version"], row["share"]) for row in told[-1]}


def test_a_cook_says_the_seconds_of_each_external_crate(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    using(one, "http")
    uses = {**MEMBERS, "lib": ("http", "stamp")}
    one.write({"Cargo.lock": lock("1.0.9", uses, BYTES, FNV, HTTP)})
    first = one.build()
    crates = recorded(one)
    assert {name: version for name, (version, _) in crates.items()} == {
        "bytes": BYTES[1],
        "fnv": FNV[1],
        "http": HTTP[1],
        "itoa": "1.0.9",
    }, "stubs are not among them"
    assert abs(sum(share for _, share in crates.values()) - 1) < 0.001
    assert right(one, first), "timings are in no fingerprint"
    tag = first["deps"].step.spec.tag
    assert one.run(tag, "sh", "-c", "find /build/target/ /cooked /tmp -name '*timing*'") == ""

    one.write({"Cargo.lock": lock("1.0.10", uses, BYTES, FNV, HTTP)})
    second = one.build()
    assert recorded(one).keys() == {"itoa", "http"}, "what was fresh took no time"
    assert right(one, second)
