"""Docker's DNS for podman's containers: a container is told the addresses in the networks that it is in itself.

podman's own knows one network of each container, and is away for seconds whenever a container starts or ends
(https://github.com/containers/aardvark-dns/issues/389). What it would tell is read from its files.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.images.docker_dns import PORT

_FILES = Path("/run/containers/networks/aardvark-dns")
_TTL_S = 0  # a container that comes back has another address


class _Member(NamedTuple):
    """A container in one network."""

    container: str
    address: str
    names: frozenset[str]


@asynccontextmanager
async def serving() -> AsyncIterator[None]:
    """Answer to whom the hook leads here."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(_Server, ("0.0.0.0", PORT))
    try:
        yield
    finally:
        transport.close()


def answer(question: bytes, asker: str, files: Path = _FILES) -> bytes:
    """Return the answer to a container's question (RFC 1035), in an order that changes."""
    query = dns.message.from_wire(question)
    response = dns.message.make_response(query, recursion_available=True)
    asked = query.question[0]
    addresses = _addresses(files, asker, asked.name.to_text(omit_final_dot=True))
    if not addresses:
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif asked.rdtype == dns.rdatatype.A:
        random.shuffle(addresses)
        response.answer.append(dns.rrset.from_text_list(asked.name, _TTL_S, "IN", "A", addresses))
    return response.to_wire()


def _addresses(files: Path, asker: str, name: str) -> list[str]:
    networks = [list(_members(file)) for file in files.iterdir() if not file.suffix]
    known = {member.container for members in networks for member in members if member.address == asker}
    return [
        member.address
        for members in networks
        if known & {member.container for member in members}
        for member in members
        if name.lower() in member.names
    ]


def _members(file: Path) -> Iterator[_Member]:
    # The first line has the addresses of the network itself. podman may be writing the last one.
    for line in file.read_text().splitlines()[1:]:
        match line.split():
            case [container, address, names]:
                yield _Member(container, address, frozenset(names.split(",")))


class _Server(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(answer(data, addr[0]), addr)
