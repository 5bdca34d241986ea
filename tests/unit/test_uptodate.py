"""What doit is told of a layer whose key says that nothing changed."""

from __future__ import annotations

from layerdoit.front.uptodate import Vouched


def test_doit_takes_it_for_the_files_it_knows_and_looks_at_none() -> None:
    vouched = Vouched()
    for known in ({"a", "b"}, set[str](), {"c"}):
        # The order in which doit compares.
        assert not (known != vouched)  # noqa: SIM202
        assert known == vouched
    assert vouched != ["a"]
    assert list(vouched) == []
