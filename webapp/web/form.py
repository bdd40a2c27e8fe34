"""Reads form posts, bounded and in UTF-8 only, as our own pages send them."""

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

MOST_FIELDS = 32  # our longest form has six
UTF_8 = {b"utf-8", b"utf8"}


async def posted(request: Request) -> FormData:
    """The fields of a form post. Raises ``HTTPException`` 400 or 415.

    Urlencoded or multipart, but in UTF-8 alone: a stranger may name any codec of Python's, and some
    of them give letters that cannot be stored, take the square of the length, or raise.
    """
    _, parameters = parse_options_header(request.headers.get("content-type"))
    if parameters.get(b"charset", b"utf-8").lower() not in UTF_8:
        raise HTTPException(415)
    return await request.form(max_files=0, max_fields=MOST_FIELDS)
