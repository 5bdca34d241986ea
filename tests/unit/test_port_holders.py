"""Which process has a port."""

from __future__ import annotations

import os
import socket

from layerdoit.deploy.docker import port_holders


def test_a_file_that_is_closed_meanwhile_does_not_hide_the_others() -> None:
    """The listing of our own files is one of them, and before the socket here."""
    before = os.open(os.devnull, os.O_RDONLY)
    with socket.create_server(("127.0.0.1", 0)) as server:
        os.close(before)
        assert f"(process {os.getpid()})" in port_holders.process(server.getsockname()[1])
