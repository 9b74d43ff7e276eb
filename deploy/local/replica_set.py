"""Makes the mongods that were started one replica set with a primary."""

import asyncio
from collections.abc import Sequence
from typing import Any

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from deploy.local.mongod import REPLICA_SET
from deploy.local.readiness import Missing

_LOOK_MS = 1_000
_NOT_INITIATED = 94  # NotYetInitialized
_INITIATED_MEANWHILE = 23  # AlreadyInitialized: the stored configuration had not been read yet when we asked


async def step_to_primary(addresses: Sequence[str]) -> Missing | None:
    """Take the next step towards a replica set of these members; return what is missing, None once it has a primary.

    Safe to call at any time: a set that is there is kept, with its data. Its configuration holds the members' ports, so
    it is written anew when they have changed.
    """
    # In a thread, with the driver's own: its asyncio client leaves sockets open when it is closed while it connects.
    return await asyncio.to_thread(_step, addresses)


def _step(addresses: Sequence[str]) -> Missing | None:
    client: MongoClient[dict[str, Any]] = MongoClient(
        f"mongodb://{addresses[0]}", directConnection=True, serverSelectionTimeoutMS=_LOOK_MS
    )
    with client:
        try:
            _configure(client, addresses)
            hello = client.admin.command("hello")
        except AutoReconnect as error:
            return Missing("mongod", f"does not answer at {addresses[0]} ({error})")
    return None if "primary" in hello else Missing("mongod", "has no primary yet")


def _configure(client: MongoClient[dict[str, Any]], addresses: Sequence[str]) -> None:
    wanted = {
        "_id": REPLICA_SET,
        "members": [{"_id": number, "host": address} for number, address in enumerate(addresses)],
    }
    try:
        stored = client.admin.command("replSetGetConfig")["config"]
        if [member["host"] for member in stored["members"]] != list(addresses):
            # By force: the members it knows are gone, so that no majority of them could agree.
            client.admin.command("replSetReconfig", stored | wanted, force=True)
    except OperationFailure as error:
        if error.code != _NOT_INITIATED:
            raise
        _initiate(client, wanted)


def _initiate(client: MongoClient[dict[str, Any]], config: dict[str, Any]) -> None:
    try:
        client.admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code != _INITIATED_MEANWHILE:
            raise
