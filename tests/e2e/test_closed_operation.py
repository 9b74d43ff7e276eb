"""The operator view out of reach: what docs/operations.md says to write into each proxy, in the real one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from fastapi.routing import iter_route_contexts

from api_service.operators.endpoints import PATH, router
from deploy.local.child import Program
from deploy.local.gateway import PROXIES, Choice, choose
from deploy.local.ports import HOST, free_ports
from deploy.local.routes import Routes
from deploy.local.traefik import CONFIGURATION
from tests.disguises import CLOSE, SOCKETS, request
from tests.documents.markdown import blocks
from tests.processes import ROOT, Processes
from tests.stubs import Stubs
from tests.system import require_gateway
from tests.waiting import eventually
from tests.wire import exchange

OPERATIONS = ROOT / "docs/operations.md"
OURS = {PATH, *(str(context.path) for context in iter_route_contexts(router.routes))}
DISGUISES = (
    "{path}", "{path}?x", "{path}#", "/{path}", "/.{path}", "/x/..{path}", "/x/%2e%2e{path}", "/%6f{rest}",
    "/%6F{rest}", "%2f{bare}", "{path}/", "{path}/.", "{path}/x/..", "{below}%2f{last}", "{below}/%2e/{last}", "http://x{path}",
)  # fmt: skip


def told(first: str) -> list[str]:
    """Return the lines of the page's block that begins so."""
    [text] = [block.text for block in blocks(OPERATIONS) if block.text.startswith(first)]
    return text.splitlines()


def disguised() -> list[str]:
    """Return the paths of all that is there, written in many ways."""
    return [
        each.format(
            path=path, bare=path[1:], rest=path[2:], below=path.rpartition("/")[0], last=path.rpartition("/")[2]
        )
        for path in sorted(OURS)
        for each in DISGUISES
    ]


def close(choice: Choice, program: Program, folder: Path) -> Program:
    """Write into a proxy's configuration what the page says."""
    if choice == "nginx":
        [line] = told("location")
        _insert(folder / "storecast.conf", "server {\n", f"{line}\n")
        return program
    if choice == "haproxy":
        [line] = told("http-request deny")
        _insert(folder / "haproxy.cfg", "frontend gateway\n", f"  {line}\n")
        return program
    more = yaml.safe_load("\n".join(told("routers:")))
    text = CONFIGURATION.read_text()
    for kind in ("routers", "middlewares"):
        lines = yaml.safe_dump(more[kind]).splitlines(keepends=True)
        block = "".join(f"    {line}" for line in lines)
        assert text.count(f"\n  {kind}:\n") == 1
        text = text.replace(f"\n  {kind}:\n", f"\n  {kind}:\n{block}")
    (folder / "traefik.yml").write_text(text)
    command = [each.replace(str(CONFIGURATION), str(folder / "traefik.yml")) for each in program.command]
    return replace(program, command=tuple(command))


def _insert(file: Path, after: str, text: str) -> None:
    assert after in file.read_text()
    file.write_text(file.read_text().replace(after, after + text, 1))


@pytest.fixture(params=PROXIES)
async def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[str, Stubs]]:
    """The address of each proxy, closed, and the API behind it."""
    choice: Choice = request.param
    require_gateway(choice)
    configure = choose(choice)
    assert configure
    api, emitters = Stubs("api", [HOST]), Stubs("emitter", [HOST])
    [port] = free_ports(1)
    address = f"{HOST}:{port}"

    async def is_ready() -> bool:
        try:
            return (await exchange(address, _plain("/products"))).startswith(b"HTTP/1.1 200 ")
        except OSError:
            return False

    async with AsyncExitStack() as stack:
        for stubs in (api, emitters):
            await stack.enter_async_context(stubs.running())
        program = configure(tmp_path, Routes(port, SOCKETS, [api.port], [emitters.port], None))
        processes = stack.enter_context(Processes([close(choice, program, tmp_path)], tmp_path))
        processes.start_what_is_down()
        await eventually(is_ready, timeout_s=20, message=f"the API is reached\n{processes.tails()}")
        yield address, api


def _plain(path: str) -> bytes:
    return request(path, CLOSE)


async def test_nobody_outside_operates(gateway: tuple[str, Stubs]) -> None:
    """However the path is written; and all else is reached as before."""
    address, api = gateway
    api.arrivals.clear()
    for path in disguised():
        await exchange(address, _plain(path))
    assert not api.paths & OURS
    for path in ("/products", "/", "/messages"):
        assert b'"service": "api"' in await exchange(address, _plain(path))
