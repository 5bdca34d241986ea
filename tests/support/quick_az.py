"""Stands in for `az` where a test makes hundreds of calls: `az rest` in milliseconds, with the words of the real one.

ARM_URL names the server, SSL_CERT_FILE its certificate.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence


def main(words: Sequence[str]) -> int:
    """As `az rest` answers; other commands know nothing."""
    if not words or words[0] != "rest":
        sys.stderr.write("ERROR: this az answers only az rest\n")
        return 1
    parser = argparse.ArgumentParser()
    for name in ("subscription", "method", "url", "output", "body"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args(words[1:])
    url = asked.url.replace("{subscriptionId}", asked.subscription)
    url = url if "://" in url else os.environ["ARM_URL"] + url
    sent = sys.stdin.buffer.read() if asked.body else None
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, sent, headers, method=asked.method.upper())  # noqa: S310 - the test's server
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the test's server
            if asked.verbose:
                for name, value in answer.headers.items():
                    sys.stderr.write(f"INFO:     {name!r}: {value!r}\n")
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        sys.stderr.write(f"ERROR: {error.reason}({error.read().decode()})\n")
        return 1
    if text:
        sys.stdout.write(json.dumps(json.loads(text), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
