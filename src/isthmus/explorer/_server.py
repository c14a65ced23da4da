"""The explorer served: networks that the page cannot evaluate answer from here."""

from __future__ import annotations

import contextlib
import secrets
import socket
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from isthmus.core import browsers
from isthmus.errors import InputError, missing_extra
from isthmus.explorer._explorer import Explorer
from isthmus.explorer._shown import Shown

if TYPE_CHECKING:
    from starlette.applications import Starlette

HOST = "127.0.0.1"


def app_of(explorer: Explorer, token: str) -> Starlette:
    """The application: the page, and what decoders and encoders make of numbers.

    ``POST /decode/0`` and ``/encode/0`` take float32 numbers, little-endian, and give such back; of
    an encoder the parts of the posterior, each after its length. Every request carries the token.
    """
    try:
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import HTMLResponse, PlainTextResponse, Response
        from starlette.routing import Route
    except ImportError as error:
        raise missing_extra("starlette", "explore", "the served explorer") from error

    parts = [_parts(one) for one in explorer.shown]

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
        if place >= len(parts) or kind not in parts[place]:
            return PlainTextResponse("there is no such network", 404)
        network, size = parts[place][kind]
        body = await request.body()
        if len(body) != 4 * size:
            return PlainTextResponse(f"{size} numbers of 4 bytes each are wanted", 400)
        return Response(_answered(network, body), media_type="application/octet-stream")

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
            browsers.opened(address)
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


def _parts(one: Shown) -> dict[str, tuple[nn.Module, int]]:
    """Decoder and encoder of a member, each with how many numbers it takes."""
    code = int(np.prod(one.model.module_.bottleneck.code_shape))
    encoding = nn.Sequential(nn.Unflatten(1, one.shape), one.encoding)
    return {"decode": (one.decoding, code), "encode": (encoding, int(np.prod(one.shape)))}


def _answered(network: nn.Module, body: bytes) -> bytes:
    """What a network makes of one example."""
    x = torch.from_numpy(np.frombuffer(body, dtype="<f4").astype(np.float32))[None]
    with torch.no_grad():
        made: Any = network(x)
    if not isinstance(made, tuple):
        return bytes(made.flatten().numpy().astype("<f4").tobytes())
    found = [part.flatten().float().numpy().astype("<f4") for part in made]
    return b"".join(np.float32(len(part)).tobytes() + part.tobytes() for part in found)
