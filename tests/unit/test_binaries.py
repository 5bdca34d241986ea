"""The layers of the binaries: what changed last is on top, and there are never too many."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from layerdoit.dockerfile import binaries

NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True), unique=True, max_size=30)


def test_what_changed_last_is_on_top() -> None:
    recent = binaries.promote(["a", "b", "c"], ["a"])
    assert recent == ["b", "c", "a"]
    assert binaries.ordered(["a", "c", "new", "b"], recent) == ["new", "b", "c", "a"]


@given(NAMES, NAMES, NAMES)
def test_every_binary_is_copied_once_and_what_did_not_change_keeps_its_place(
    names: list[str], recent: list[str], changed: list[str]
) -> None:
    before = binaries.ordered(names, recent)
    after = binaries.ordered(names, binaries.promote(recent, changed))
    assert sorted(after) == sorted(names)
    still = [name for name in before if name not in changed]
    assert [name for name in after if name not in changed] == still
    assert after[: len(still)] == still

    lines = binaries.copies(after).splitlines()
    assert len(lines) <= binaries.OWN + 1
    if not names:
        assert lines == ["COPY --from=build /layerdoit/out/ /usr/local/bin/"], "the build must run all the same"
        return
    copied = [json.loads(re.sub("^COPY --from=build ", "", line)) for line in lines]
    assert [path for *group, _ in copied for path in group] == [f"/layerdoit/out/{name}" for name in after]
    assert {target for *_, target in copied} <= {"/usr/local/bin/"}
