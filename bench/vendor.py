"""A stand-in for Twilio that answers after a set time, in the bench's own process."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator
from secrets import token_hex

from aiohttp import web

from tests.postgres import free_port

CODE = "246810"


class Vendor:
    """Verify and Messages, as far as a sign-up uses them."""

    def __init__(self) -> None:
        self.latency = 0.0  # seconds
        self.texts: defaultdict[str, int] = defaultdict(int)  # by number
        self.arrived: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def code(self, number: str) -> str:
        """What its owner reads on the phone, once it is there."""
        async with asyncio.timeout(60):
            await self.arrived[number].wait()
        return CODE

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Over loopback for the length of a ``with`` block: its URL."""
        app, port = web.Application(), free_port()
        service = "/v2/Services/{service}"
        app.router.add_post(f"{service}/Verifications", self._send_code)
        app.router.add_post(f"{service}/VerificationCheck", self._check_code)
        app.router.add_post("/2010-04-01/Accounts/{account}/Messages.json", self._send_text)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            await runner.cleanup()

    async def _send_code(self, request: web.Request) -> web.Response:
        to = await self._deliver(request)
        return web.json_response(
            {"sid": f"VE{token_hex(16)}", "to": to, "status": "pending"}, status=201
        )

    async def _check_code(self, request: web.Request) -> web.Response:
        form = await request.post()
        await asyncio.sleep(self.latency)
        status = "approved" if form["Code"] == CODE else "pending"
        return web.json_response({"sid": form["VerificationSid"], "status": status})

    async def _send_text(self, request: web.Request) -> web.Response:
        to = await self._deliver(request)
        return web.json_response(
            {"sid": f"SM{token_hex(16)}", "to": to, "status": "queued"}, status=201
        )

    async def _deliver(self, request: web.Request) -> str:
        to = str((await request.post())["To"])
        await asyncio.sleep(self.latency)
        self.texts[to] += 1
        self.arrived[to].set()
        return to
