"""Where vendors tell what became of a message. They authenticate by signature and secret path."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from webapp.pages import state
from webapp.providers import ForgedReceipt
from webapp.web.form import posted

HOOKS, TWILIO = "/hooks/", "/hooks/twilio"
FORBIDDEN, NO_CONTENT = 403, 204


async def twilio(request: Request) -> Response:
    """One status callback: 204, also for one that tells nothing new."""
    form = await posted(request)
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    secret, signature = request.path_params["secret"], request.headers.get("x-twilio-signature", "")
    try:
        receipt = state.receipt_reader(request).read(secret, fields, signature)
    except ForgedReceipt as error:
        raise HTTPException(FORBIDDEN) from error
    if receipt:
        await state.receipts(request).take(receipt)
    return Response(status_code=NO_CONTENT)
