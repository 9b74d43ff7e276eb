"""Makes the mongods that were started one replica set with a primary."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from deploy.local.mongod import REPLICA_SET, names
from deploy.local.readiness import Missing

Client = MongoClient[dict[str, Any]]

# Of three members, the others elect a new primary about a second after it has died: MongoDB's defaults take eleven.
SETTINGS = {"electionTimeoutMillis": 1_000, "heartbeatIntervalMillis": 250}

_LOOK_MS = 1_000
_NOT_INITIATED = 94  # NotYetInitialized
_TRY_AGAIN = frozenset(
    {
        23,  # AlreadyInitialized: the stored configuration had not been read yet when we asked
        74,  # NodeNotFound: another member has just stopped answering
    }
)
_PRIMARY, _SECONDARY = 1, 2


async def step_to_primary(addresses: Sequence[str]) -> Missing | None:
    """Take the next step towards a replica set of these members; return what is missing, None once all take part.

    Safe to call at any time: a set that is there is kept, with its data. Its configuration holds the members' ports, so
    it is written anew when they have changed.
    """
    # In a thread, with the driver's own: its asyncio client leaves sockets open when it is closed while it connects.
    return await asyncio.to_thread(_step, addresses)


def _step(addresses: Sequence[str]) -> Missing | None:
    members = dict(zip(addresses, names(len(addresses)), strict=True))
    with ExitStack() as stack:
        clients: dict[str, Client] = {}
        configs: dict[str, dict[str, Any]] = {}
        for address, name in members.items():
            clients[address] = stack.enter_context(_client(address))
            try:
                if config := _config(clients[address]):
                    configs[address] = config
            except AutoReconnect as error:
                return Missing(name, f"does not answer at {address} ({error})")
        try:
            _configure(clients, configs)
            return _first_absent(clients[addresses[0]], members)
        except AutoReconnect as error:
            return Missing(members[addresses[0]], f"does not take its configuration ({error})")


def _client(address: str) -> Client:
    return MongoClient(f"mongodb://{address}", directConnection=True, serverSelectionTimeoutMS=_LOOK_MS)


def _config(client: Client) -> dict[str, Any] | None:
    try:
        return dict(client.admin.command("replSetGetConfig")["config"])
    except OperationFailure as error:
        if error.code == _NOT_INITIATED:
            return None
        raise


def _configure(clients: dict[str, Client], configs: dict[str, dict[str, Any]]) -> None:
    if not configs:
        _initiate(clients)
        return
    # The others, an emptied one too, take over the newest configuration by themselves.
    newest = max(configs, key=lambda address: int(configs[address]["version"]))
    config = configs[newest]
    if [member["host"] for member in config["members"]] != list(clients):
        # By force: the members it knows are gone, so that no majority of them could agree.
        clients[newest].admin.command("replSetReconfig", config | {"members": _members(clients)}, force=True)


def _initiate(clients: dict[str, Client]) -> None:
    config = {"_id": REPLICA_SET, "members": _members(clients), "settings": SETTINGS}
    try:
        next(iter(clients.values())).admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code not in _TRY_AGAIN:
            raise


def _members(addresses: dict[str, Client]) -> list[dict[str, Any]]:
    return [{"_id": number, "host": address} for number, address in enumerate(addresses)]


def _first_absent(client: Client, members: dict[str, str]) -> Missing | None:
    """Return the first member that does not take part yet, as the member behind `client` sees them."""
    try:
        seen = client.admin.command("replSetGetStatus")["members"]
    except OperationFailure as error:
        return Missing(next(iter(members.values())), f"is not in the replica set yet ({error})")
    states = {member["name"]: member for member in seen}
    for address, name in members.items():
        if states[address]["state"] not in {_PRIMARY, _SECONDARY}:
            return Missing(name, f"is no working member yet ({states[address]['stateStr']})")
    if _PRIMARY not in {member["state"] for member in seen}:
        return Missing(next(iter(members.values())), "has no primary yet")
    return None
