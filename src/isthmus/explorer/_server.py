"""The explorer served: networks that the page cannot evaluate answer from here."""

from __future__ import annotations

import contextlib
import secrets
import socket
from typing import TYPE_CHECKING

from isthmus.core import browsers
from isthmus.errors import InputError, missing_extra
from isthmus.explorer._answers import Answers
from isthmus.explorer._explorer import Explorer

if TYPE_CHECKING:
    from starlette.applications import Starlette

HOST = "127.0.0.1"


def app_of(explorer: Explorer, token: str) -> Starlette:
    """The application: the page, and what decoders and encoders make of numbers.

    ``POST /decode/0`` and ``/encode/0`` take and give numbers as
    :meth:`~isthmus.explorer._answers.Answers.answer` does. Every request carries the token.
    """
    try:
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import HTMLResponse, PlainTextResponse, Response
        from starlette.routing import Route
    except ImportError as error:
        raise missing_extra("starlette", "explore", "the served explorer") from error

    answers = Answers(explorer.shown)

    def is_known(request: Request) -> bool:
        given = request.headers.get("x-token") or request.query_params.get("token", "")
        return secrets.compare_digest(given.encode(), token.encode())

    async def page(request: Request) -> Response:
        if not is_known(request):
            return PlainTextResponse("open the address that isthmus explore printed", 403)
        return HTMLResponse(explorer.to_html())

    async def answer(request: Request) -> Response:
        if not is_known(request):
            return PlainTextResponse("the token is missing or wrong", 403)
        place, kind = int(request.path_params["place"]), str(request.path_params["kind"])
        try:
            made = answers.answer(place, kind, await request.body())
        except LookupError:
            return PlainTextResponse("there is no such network", 404)
        except InputError as error:
            return PlainTextResponse(str(error), 400)
        return Response(made, media_type="application/octet-stream")

    return Starlette(
        routes=[Route("/", page), Route("/{kind:str}/{place:int}", answer, methods=["POST"])]
    )


def serve(explorer: Explorer, port: int, *, opens: bool) -> None:
    """Serve an explorer on this machine alone, until it is interrupted.

    Raises:
        InputError: where the port is taken.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise missing_extra("uvicorn", "explore", "the served explorer") from error
    token = secrets.token_urlsafe(16)
    server = uvicorn.Server(uvicorn.Config(app_of(explorer, token), log_level="warning"))
    with _listening(port) as heard:
        address = f"http://{HOST}:{port}/?token={token}"
        print(f"{explorer.title}: {address} (Ctrl-C ends it)", flush=True)
        if opens:  # whoever asks before the server has begun waits for it
            browsers.open_in_browser(address)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[heard])


def _listening(port: int) -> socket.socket:
    """A port of this machine, on which questions wait from now on."""
    heard = socket.socket()
    try:
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        heard.bind((HOST, port))
        heard.listen()
    except OSError as error:
        heard.close()
        raise InputError(
            f"port {port} of this machine cannot be had ({error.strerror}): choose another one with"
            " --port."
        ) from error
    return heard
