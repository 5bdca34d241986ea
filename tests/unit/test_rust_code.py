"""Rust sources as text: comments, tests and strings are told apart, whatever a file holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from layerdoit.cargo import rust_code

PARTS = (
    '"', "'", "\\", "/*", "*/", "//", "\n", "r#", "#", "(", ")", "[", "]", "{", "}", ",", ";", "!", "fn a", "mod b",
    ".", "#[cfg(test)]", "#[test]", 'r#"x"#', "b", "'a", "include_str", "join", "=", " ", "::", "x",
)  # fmt: skip
TEXT = """\
// "no"
fn main() { open(r"a\\b", "c", '"', b"bytes"); /* "no" /* "no" */ "no" */ let a: &'static str = "d//e"; }
#[cfg(test)]
#[allow(unused)]
mod tests { fn a() { open("no"); } }
#[cfg(all(test, unix))] mod more;
#[tokio::test] async fn b() -> Result<(), ()> { open("no") }
#[cfg(not(test))] fn c() { x.join("f").open(&["g", "h"]) }
"""


def test_strings_are_those_of_the_program() -> None:
    code = rust_code.read(TEXT)
    found = [(literal.value, code.line(literal.at), [one.name for one in literal.around]) for literal in code.literals]
    assert found == [
        ("a\\b", 2, ["open", "{"]),
        ("c", 2, ["open", "{"]),
        ("d//e", 2, ["{"]),
        ("f", 8, [".join", "{"]),
        ("g", 8, ["", ".open", "{"]),
        ("h", 8, ["", ".open", "{"]),
    ]
    assert [literal.around[0].nth for literal in code.literals[:2]] == [0, 1]
    assert code.tests == ("more",)


def test_the_calls_before_a_call() -> None:
    code = rust_code.read('fn main() { web::scope("/a").wrap(b()).route("/c", get(d)); }')
    last = code.literals[-1].around[0]
    assert [name for name, _ in code.chain(last.at)] == [".wrap", "web::scope"]
    assert code.function(last.at) == "main"


@given(st.lists(st.sampled_from(PARTS)).map("".join))
def test_any_text_is_read(text: str) -> None:
    code = rust_code.read(text)
    assert len(code.text) == len(code.shape) == len(text)
    assert code.text.count("\n") == text.count("\n")
    for literal in code.literals:
        code.statement(literal.at)
        code.function(literal.at)
        assert all(one.at < literal.at for one in literal.around)
        assert all(name != "{" for one in literal.around if one.name != "#" for name, _ in code.chain(one.at))
