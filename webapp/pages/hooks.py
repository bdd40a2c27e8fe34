"""Where vendors tell what became of a message. They authenticate by signature and secret path."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from webapp.pages import state
from webapp.providers import ForgedReceipt
from webapp.web.form import posted

HOOKS, TWILIO, VONAGE = "/hooks/", "/hooks/twilio", "/hooks/vonage"
BAD_REQUEST, FORBIDDEN, NO_CONTENT = 400, 403, 204


async def twilio(request: Request) -> Response:
    """One status callback of Twilio's: 204, also for one that tells nothing new."""
    signature = request.headers.get("x-twilio-signature", "")
    return await _take(request, "twilio", await posted(request), signature)


async def vonage(request: Request) -> Response:
    """One delivery receipt of Vonage's. Its account says whether it comes by GET or by POST, and
    then as a form or as JSON.
    """
    return await _take(request, "vonage", await _fields(request))


async def _take(
    request: Request, vendor: str, fields: Mapping[str, object], signature: str = ""
) -> Response:
    """Take the receipt in ``fields``; 403 for a forged one."""
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    reader = state.receipt_reader(request, vendor)
    try:
        receipt = reader.read(request.path_params["secret"], texts, signature)
    except ForgedReceipt as error:
        raise HTTPException(FORBIDDEN) from error
    if receipt:
        await state.receipts(request).take(receipt)
    return Response(status_code=NO_CONTENT)


async def _fields(request: Request) -> Mapping[str, object]:
    if request.method != "POST":
        return request.query_params
    if request.headers.get("content-type", "").startswith("application/json"):
        return await _json_object(request)
    return await posted(request)


async def _json_object(request: Request) -> Mapping[str, object]:
    try:
        body = await request.json()
    except (ValueError, RecursionError):
        raise HTTPException(BAD_REQUEST) from None
    return body if isinstance(body, dict) else {}
