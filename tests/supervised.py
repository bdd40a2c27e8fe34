"""A small application under our supervisor: ``python -m tests.supervised PORT [FAULT]``.

It does on request what the product must never do: it blocks its event loop.
"""

import os
import sys
import time

from starlette.types import Receive, Scope, Send

from webapp.server import listen, serve_by_workers

SILENCE = 2.0  # seconds; short, for a test to wait for
BLOCKED = 60.0  # seconds


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        failed = "fail" in sys.argv
        await send({"type": f"lifespan.startup.{'failed' if failed else 'complete'}"})
        return
    if scope["path"] == "/block":
        time.sleep(BLOCKED)  # noqa: ASYNC251 - which is the point
    pid = str(os.getpid()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-pid", pid)]})
    await send({"type": "http.response.body"})


if __name__ == "__main__":
    serve_by_workers(app, listen(int(sys.argv[1])), 2, silence=SILENCE)
