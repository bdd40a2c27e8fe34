"""Starts a stock Firefox for Playwright, which expects one that can emulate more.

Playwright drives Firefox by WebDriver BiDi. It asks for the emulation of media features in every
profile, and takes the refusal of a Firefox that does not know the command yet for a failure. This
program stands between the two and answers such a command itself.
"""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator

from aiohttp import ClientSession, ClientWebSocketResponse, web

LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


async def main(firefox: str, *arguments: str) -> int:
    """Run Firefox to its end: its exit status."""
    process = await asyncio.create_subprocess_exec(
        firefox, *arguments, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    relay: web.AppRunner | None = None
    async for line in process.stderr:
        text = line.decode(errors="replace")
        if not relay and (found := LISTENING.search(text)):
            relay, url = await start_relay(found[1])
            text = f"WebDriver BiDi listening on {url}\n"
        sys.stderr.write(text)
        sys.stderr.flush()
    if relay:
        await relay.cleanup()
    return await process.wait()


async def start_relay(firefox: str) -> tuple[web.AppRunner, str]:
    """Relay a WebSocket to ``firefox``: the running relay and its URL."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        playwright = web.WebSocketResponse(max_msg_size=0)
        await playwright.prepare(request)
        async with (
            ClientSession() as client,
            client.ws_connect(firefox + request.path, max_msg_size=0) as browser,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(send_all(texts(playwright), browser))
            tasks.create_task(send_all(answers(browser), playwright))
        return playwright

    app = web.Application()
    app.router.add_get("/session", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    return runner, f"ws://{host}:{port}"


Side = web.WebSocketResponse | ClientWebSocketResponse


async def texts(side: Side) -> AsyncIterator[str]:
    async for message in side:
        yield message.data


async def answers(browser: Side) -> AsyncIterator[str]:
    async for text in texts(browser):
        yield emulated(text)


async def send_all(texts: AsyncIterator[str], side: Side) -> None:
    async for text in texts:
        await side.send_str(text)
    await side.close()


def emulated(text: str) -> str:
    """``text``, or success where it says that Firefox cannot emulate something."""
    answer = json.loads(text)
    unknown = answer.get("error") == "unknown command"
    if unknown and answer["message"].startswith("emulation."):
        return json.dumps({"type": "success", "id": answer["id"], "result": {}})
    return text


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
