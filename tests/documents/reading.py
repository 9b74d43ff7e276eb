"""Reads a page as somebody who does all that it says, on a system that runs."""

import re
import shlex
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

from api_service.settings import Settings as ApiSettings
from shared.settings import PREFIX
from tests.documents.markdown import Block
from tests.documents.output import begun
from tests.documents.session import GOES_ON, Running, Session
from tests.documents.stand_in import SECRET
from tests.tokens import token
from tests.up import Up
from tests.waiting import eventually
from ws_service.settings import Settings as EmitterSettings

LANGUAGES = ("sh", "js", "python", "html", "yaml", "json", "env", "output", "text")
"""What may stand after a fence: CONTRIBUTING.md says what is done with each."""

_WITHIN_S = 30
_PRODUCTS = 20
_HEARD_WITHIN_S = 1


class Frame(NamedTuple):
    """What a page leaves out of its program; `{screen-1}` is that device's token."""

    before: str = ""
    after: str = ""


FRAMES = {
    ("docs/messages.md", "js"): Frame(
        'import { io } from "socket.io-client";\nconst origin = "http://127.0.0.1:8080", token = "{screen-7}";\n',
        # A device that hears, and does not answer.
        'io(origin, { forceNew: true, path: "/websocket-service", auth: { token: "{screen-8}" } });\n',
    ),
    ("docs/protocol.md", "js"): Frame('const newToken = () => "{ann}";\n'),
    ("docs/protocol.md", "python"): Frame(after="asyncio.run(listen())\n"),
}


async def read(session: Session, up: Up, page: list[Block]) -> None:
    """Do with each block of a page what its fence says, and have each program hear what is created."""
    programs: set[str] = set()
    for block, following in pairwise([*page, Block(page[0].page, 0, "text", "", "")]):
        if block.language == "sh" and block.file == GOES_ON:
            await session.begin_commands(block, following.text if following.language == "output" else "")
        elif block.file:
            session.save(block)
        elif block.language == "sh":
            await session.run(block)
            if following.language == "output":
                session.prints(following)
            elif following.language == "json":
                session.answers(following)
        elif block.language == "env":
            _are_settings(block)
        elif block.language in {"js", "python"} - programs:
            programs.add(block.language)
            await _listen(session, up, page, block)
    for program in session.programs:
        await _hears(up, program)


async def _listen(session: Session, up: Up, page: list[Block], first: Block) -> None:
    """Run a page's blocks of a language as the one program that they are; it is connected."""
    frame = FRAMES.get((first.page_name, first.language), Frame())
    parts = [block.text for block in page if block[2:4] == first[2:4]]
    shown = [after.text for block, after in pairwise(page) if block[2:4] == first[2:4] and after.language == "output"]
    text = session.here("\n".join([frame.before, *parts, frame.after]))
    text = re.sub(r"\{(ann|screen-\d+)\}", lambda found: token(found[1], secret=SECRET), text)
    wanted = await _clients(up) + max(1, len(re.findall(r"(?<!\w)io\(", text)))
    await session.begin_program(first, text, "".join(shown))

    async def connected() -> bool:
        return await _clients(up) >= wanted

    await eventually(connected, timeout_s=_WITHIN_S, message=f"{first} listens")


async def _clients(up: Up) -> float:
    """Return how many clients the emitter has."""
    address = next(line.split()[1] for line in up.shown if line.split()[:1] == ["emitter-1"])
    metrics = (await up.http.get(f"{address}/metrics")).text
    return sum(map(float, re.findall(r"(?m)^storecast_connections(?:\{.*\})? (\S+)$", metrics)))


async def _hears(up: Up, program: Running) -> None:
    """Create products until a program has said what it is to say; it has not failed."""
    assert program.process.returncode in {None, 0}, f"{program.name} failed: {program.log.read_text()}"
    for _ in range(_PRODUCTS):
        if begun(program.shown, program.log.read_text()):
            break
        product = {"name": "Moka pot", "price": "24.90", "category": "books"}
        (await up.http.post("/products", json=product)).raise_for_status()
        # It may have begun to listen only now: then the next one is heard.
        with suppress(AssertionError):
            await program.says(program.shown, timeout_s=_HEARD_WITHIN_S)
    await program.says(program.shown)


def _are_settings(block: Block) -> None:
    """Hold what a block sets to the settings that the services have."""
    for line in block.text.splitlines():
        [setting] = shlex.split(line, comments=True)
        name, _, value = setting.removeprefix(PREFIX).partition("=")
        services = [each for each in (ApiSettings, EmitterSettings) if name.lower() in each.model_fields]
        assert services, f"{block}: there is no setting {name}"
        for service in services:
            service.model_validate({"emitter_secret": SECRET, "jwt_secret": SECRET, name.lower(): value})
