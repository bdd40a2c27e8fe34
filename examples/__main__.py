"""Serves the application, and the accounts beside it unless `make run` does so already."""

import contextlib
import os
import subprocess
import sys
import time
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
    """The accounts in development, ready, as long as the ``with`` block."""
    if answers():
        yield
        return
    port = str(urlsplit(ACCOUNTS).port or 80)
    process = subprocess.Popen([sys.executable, "-m", "webapp", "dev", "--port", port])
    try:
        while not answers():
            if process.poll() is not None:
                sys.exit("The accounts did not start.")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def answers() -> bool:
    try:
        return httpx.get(f"{ACCOUNTS}/readyz").is_success
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    main()
