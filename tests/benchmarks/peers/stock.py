"""The obvious emitter in Python: python-socketio on uvicorn as they come, behind the same HTTP calls as Storecast's.

uvicorn is run at its best: uvloop, the newer websocket implementation, neither compression nor pings of its own.

    PORT=9000 SECRET=... SOCKET_PATH=/websocket-service python -m tests.benchmarks.peers.stock
"""

import json
import os
from typing import Any

import socketio
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_AUTHORIZATION = f"Bearer {os.environ['SECRET']}"

sio = socketio.AsyncServer(async_mode="asgi", ping_interval=int(os.environ["PING_INTERVAL_MS"]) / 1000)


async def _emit(message: dict[str, Any]) -> dict[str, Any]:
    await sio.emit(message["event"], (message["payload"], {}), to=message.get("to"))
    return {"reached": len(sio.eio.sockets)}


async def _events(batch: dict[str, Any]) -> dict[str, Any]:
    epoch, position = batch["epoch"], batch.get("position")
    for event in batch["events"]:
        position = event["seq"]
        meta = {"seq": position, "id": event["id"], "time": event["time"]}
        # Every socket hears the products.
        to = None if "products" in event["topics"] else event["topics"]
        await sio.emit(event["event"], (event["payload"], meta, f"{epoch}:{position}"), to=to)
    return {"epoch": epoch, "position": position}


_CALLS = {"/emit": _emit, "/events": _events}


async def calls(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the HTTP calls."""
    request = Request(scope, receive)
    if request.headers.get("authorization") != _AUTHORIZATION:
        response = JSONResponse({"error": "who are you?"}, 401)
    elif call := _CALLS.get(request.url.path):
        response = JSONResponse(await call(json.loads(await request.body())))
    else:
        response = JSONResponse({"error": "no such call"}, 404)
    await response(scope, receive, send)


def app() -> ASGIApp:
    """Return the whole."""
    whole: ASGIApp = socketio.ASGIApp(sio, other_asgi_app=calls, socketio_path=os.environ["SOCKET_PATH"].strip("/"))
    return whole


if __name__ == "__main__":
    uvicorn.run(
        app(),
        port=int(os.environ["PORT"]),
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
