"""Serves the application, and the accounts beside it unless `make run` does so already."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import uvicorn
from app import ACCOUNTS, app

PORT = int(os.environ.get("EXAMPLE_PORT", "8001"))


def main() -> None:
    with accounts():
        print(f"\n  Your application  http://localhost:{PORT}\n", flush=True)
        uvicorn.run(app, host="localhost", port=PORT, log_level="warning")


@contextlib.contextmanager
def accounts() -> Iterator[None]:
    """The accounts in development, as long as the ``with`` block."""
    with contextlib.suppress(httpx.TransportError):
        httpx.get(f"{ACCOUNTS}/healthz")
        yield
        return
    port = str(urlsplit(ACCOUNTS).port or 80)
    process = subprocess.Popen([sys.executable, "-m", "webapp", "dev", "--port", port])
    try:
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
