"""What is said to a workshop, and what it answers: answers among output, what is sent and when, how a trial ends."""

from __future__ import annotations

import hashlib
import io
import os
import queue
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from layerdoit.core.conversation import Conversation, Ended
from layerdoit.core.errors import ContextDiffers, DeployError
from layerdoit.tree.index import Entry
from layerdoit.tree.sources import Sources
from layerdoit.tree.staging import tree_text
from layerdoit.watch.agent import Answer, Replies, Request, command
from layerdoit.watch.sending import Frame, Sent
from layerdoit.watch.trial import Trial, words_of

# --- answers ---------------------------------------------------------------------------------------------------------

PRINTED = b"one\n\nmark done 1 0\ntwo\rthree\n\nmark\nmarked\n\nmark told 2 ended 3\n\nmark done 2 0\nlast"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 200])
def test_answers_are_told_from_output_wherever_the_pieces_end(size: int) -> None:
    said: list[tuple[str, str]] = []
    replies = Replies("mark", lambda data: said.append(("output", data.decode())), lambda line: said.append(("", line)))
    for at in range(0, len(PRINTED), size):
        replies.feed(PRINTED[at : at + size])
    output = "".join(text for kind, text in said if kind)
    assert output == "one\ntwo\rthree\n\nmark\nmarked\nlast"
    assert [text for kind, text in said if not kind] == ["done 1 0", "told 2 ended 3", "done 2 0"]
    before = said[: said.index(("", "done 1 0"))]
    assert "".join(text for _, text in before) == "one\n", "what was printed before an answer comes before it"


def test_a_workshop_has_no_network_and_goes_when_nobody_speaks_to_it() -> None:
    words = command("shop:deps-1", ["--label", "a=b"])
    assert words[:2] == ["docker", "run"]
    assert {"--rm", "--interactive"} <= set(words)
    assert words[words.index("--network") + 1] == "none"
    assert words[words.index("--entrypoint") + 2] == "shop:deps-1"
    assert words.index("--label") < words.index("--entrypoint")


def test_a_conversation_goes_on_until_one_of_both_ends_it() -> None:
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    child = Conversation(["sh", "-c", 'read a; echo "<$a>"; read b; echo "why" >&2; exit 3'], heard.put)
    child.send(b"first\n")
    assert heard.get(timeout=10) == b"<first>\n"
    assert child.runs
    child.send(b"second\n")
    assert heard.get(timeout=10) == b""
    assert (child.runs, child.said) == (False, "why")
    with pytest.raises(Ended, match="why"):
        child.send(b"third\n")
    child.close(0)

    deaf = Conversation(["sh", "-c", "trap '' TERM; while :; do sleep 60; done"], heard.put)
    deaf.close(0)
    assert heard.get(timeout=10) == b""
    assert not deaf.runs


# --- what is sent ----------------------------------------------------------------------------------------------------


def sources(root: Path, files: Mapping[str, str]) -> Sources:
    entries = {}
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        entries[path] = Entry("f", hashlib.sha256(text.encode()).hexdigest())
    return Sources(root, "", entries)


def frame(sent: Sent, found: Sources, **control: str) -> Frame:
    return sent.frame(found, tree_text(found.entries), {name: text.encode() for name, text in control.items()})


def members(found: Frame) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(found.archive)) as tar:
        return {one.name: tar.extractfile(one).read().decode() if one.isreg() else one.linkname for one in tar}  # type: ignore[union-attr]


def test_only_what_a_workshop_lacks_is_sent(tmp_path: Path) -> None:
    sent = Sent()
    first = frame(sent, sources(tmp_path, {"a/b.rs": "1", "c.rs": "1", "d.rs": "1"}), env="x", own="y")
    assert (first.gone, first.anew) == (b"", True)
    assert set(members(first)) == {
        *("ctx/a/b.rs", "ctx/c.rs", "ctx/d.rs"),
        *("control/env", "control/own", "control/tree"),
    }
    second = frame(sent, sources(tmp_path, {"a/b.rs": "2", "c.rs": "1", "a/e.rs": "3"}), env="x", own="z")
    assert (second.gone, second.anew) == (b"d.rs\n", False)
    found = members(second)
    assert found.pop("control/tree").count("\n") == 3
    assert found == {"ctx/a/b.rs": "2", "ctx/a/e.rs": "3", "control/own": "z"}


def test_a_file_that_is_another_one_now_is_not_sent(tmp_path: Path) -> None:
    sent, scanned = Sent(), sources(tmp_path, {"a.rs": "1", "b.rs": "1"})
    for change in ("written", "gone", "a folder"):
        if change == "written":
            (tmp_path / "a.rs").write_text("2")
        elif change == "gone":
            (tmp_path / "a.rs").unlink()
        else:
            (tmp_path / "a.rs").mkdir()
        with pytest.raises(ContextDiffers, match=r"a\.rs"):
            frame(sent, scanned)
    (tmp_path / "a.rs").rmdir()
    again = frame(sent, sources(tmp_path, {"a.rs": "1", "b.rs": "1"}))
    assert again.anew, "nothing arrived"
    assert {"ctx/a.rs", "ctx/b.rs"} <= set(members(again))


def test_links_and_modes_arrive_as_they_were_scanned(tmp_path: Path) -> None:
    name = os.fsdecode(b"odd \xff name")
    (tmp_path / name).write_text("x")
    (tmp_path / name).chmod(0o750)
    (tmp_path / "link").symlink_to("nowhere")
    digest = {text: hashlib.sha256(text.encode()).hexdigest() for text in ("x", "nowhere")}
    found = Sources(tmp_path, "", {name: Entry("x", digest["x"]), "link": Entry("l", digest["nowhere"])})
    archive = io.BytesIO(frame(Sent(), found).archive)
    with tarfile.open(fileobj=archive, errors="surrogateescape") as tar:
        program, link = tar.getmember(f"ctx/{name}"), tar.getmember("ctx/link")
    assert (program.mode, link.issym(), link.linkname) == (0o755, True, "nowhere")


# --- trials ----------------------------------------------------------------------------------------------------------


class Supervisor:
    """Answers as an agent does, by the verbs that it is asked."""

    def __init__(self, **answers: tuple[str, ...]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.last = Request("")

    def ask(self, verb: str, *words: str) -> Request:
        self.asked.append(" ".join((verb, *words)))
        self.last = Request("1")
        for told in self.answers.get(verb, ()):
            self.last.answers.put(Answer("told", tuple(told.split())))
        if verb != "ask":
            self.last.answers.put(Answer("done", ("0" if verb in self.answers else "1",)))
        return self.last

    def answer(self, request: Request, _seconds: float) -> Answer | None:
        return request.next(0)


def trial(supervisor: Supervisor) -> Trial:
    return Trial(supervisor, "web", "t0", 1.5, ["server"], overlap=False)  # type: ignore[arg-type]


def test_a_trial_is_begun_watched_and_kept() -> None:
    supervisor = Supervisor(start=("started 7 0",), keep=("kept",))
    one = trial(supervisor)
    one.begin()
    one.started()
    assert one.ended() is None
    one.keep()
    assert (one.ended(), one.over) == (None, True)
    assert supervisor.asked == ["start web t0 restart 1.5 server", "ask t0 wait", "keep web t0"]


def test_the_end_of_a_program_in_trial_is_known_and_the_old_one_put_back() -> None:
    supervisor = Supervisor(start=("started 7 0",), keep=("ended signal 6",), put_back=("started 8 0", "kept"))
    one = trial(supervisor)
    one.begin()
    one.started()
    supervisor.last.answers.put(Answer("told", ("ended", "signal", "6")))
    supervisor.last.answers.put(Answer("done", ("0",)))
    assert one.ended() == "was ended by signal 6"
    with pytest.raises(DeployError, match="web: the new program was ended by signal 6"):
        one.keep()
    one.put_back()
    assert supervisor.asked[-1] == "put_back web t0 1.5"


def test_what_does_not_start_is_put_back() -> None:
    supervisor = Supervisor(start=("failed No such file or directory",), put_back=("started 8 0", "kept"))
    one = trial(supervisor)
    one.begin()
    with pytest.raises(DeployError, match="does not start: No such file or directory"):
        one.started()
    assert one.over
    one.put_back()
    assert supervisor.asked == ["start web t0 restart 1.5 server", "put_back web t0 1.5"]


@pytest.mark.parametrize("start", ["started 7 0", "failed No such file or directory"])
def test_what_is_on_its_way_is_waited_for_and_then_put_back(start: str) -> None:
    supervisor = Supervisor(start=(start,), put_back=("started 8 0", "kept"))
    one = trial(supervisor)
    one.begin()
    begun = supervisor.last
    assert not one.over
    one.put_back()
    assert begun.next(0) is None, "the two would move the same files"
    assert (one.over, supervisor.asked[-1]) == (True, "put_back web t0 1.5")


def test_a_container_that_is_not_there_any_more_is_said_to_be() -> None:
    one = trial(Supervisor())
    one.begin()
    with pytest.raises(DeployError, match="stopped or removed"):
        one.started()
    supervisor = Supervisor(start=("started 7 0",))
    one = trial(supervisor)
    one.begin()
    one.started()
    supervisor.last.answers.put(Answer("done", ("1",)))
    assert one.ended() == "ended together with its container"


def test_words_for_an_end() -> None:
    assert words_of(("ended", "101")) == "ended with exit code 101"
    assert words_of(("ended", "signal", "11")) == "was ended by signal 11"
    assert words_of(("kept",)) == "kept"
