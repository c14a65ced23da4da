"""The explorer served: networks that the page cannot evaluate answer from here."""

from __future__ import annotations

import secrets
import webbrowser
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from isthmus.errors import missing_extra
from isthmus.estimators.base import Estimator
from isthmus.explorer._explorer import Explorer
from isthmus.explorer.graph import Decoding, Encoding, units

if TYPE_CHECKING:
    from starlette.applications import Starlette

HOST = "127.0.0.1"


def app_of(explorer: Explorer, models: Mapping[str, Estimator], token: str) -> Starlette:
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

    parts = [_parts(model, explorer.given["unit"]) for model in models.values()]

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


def serve(explorer: Explorer, models: Mapping[str, Estimator], port: int, *, opens: bool) -> None:
    """Serve an explorer on this machine alone, until it is interrupted."""
    try:
        import uvicorn
    except ImportError as error:
        raise missing_extra("uvicorn", "explore", "the served explorer") from error
    token = secrets.token_urlsafe(16)
    address = f"http://{HOST}:{port}/?token={token}"
    print(f"{explorer.title}: {address} (Ctrl-C ends it)", flush=True)
    if opens:
        webbrowser.open(address)
    uvicorn.run(app_of(explorer, models, token), host=HOST, port=port, log_level="warning")


def _parts(model: Estimator, unit: float) -> dict[str, tuple[nn.Module, int]]:
    """Decoder and encoder of a member, each with how many numbers it takes."""
    shown_in = units(model.preprocessor_.scaling, unit)
    code = int(np.prod(model.module_.bottleneck.code_shape))
    example = int(np.prod(model.preprocessor_.spec.shape))
    shape = model.preprocessor_.spec.shape
    return {
        "decode": (Decoding(model.module_, *shown_in), code),
        "encode": (
            nn.Sequential(nn.Unflatten(1, shape), Encoding(model.module_, *shown_in)),
            example,
        ),
    }


def _answered(network: nn.Module, body: bytes) -> bytes:
    """What a network makes of one example."""
    x = torch.from_numpy(np.frombuffer(body, dtype="<f4").astype(np.float32))[None]
    with torch.no_grad():
        made: Any = network(x)
    if not isinstance(made, tuple):
        return bytes(made.flatten().numpy().astype("<f4").tobytes())
    found = [part.flatten().float().numpy().astype("<f4") for part in made]
    return b"".join(np.float32(len(part)).tobytes() + part.tobytes() for part in found)
