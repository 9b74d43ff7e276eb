"""MongoDB as the overlays start it."""

import secrets
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.local.child import Program
from deploy.local.mongod import find_mongod
from deploy.local.ports import HOST, free_ports
from shared.errors import StartupError
from tests.k8s.manifests import one, overlay, pod
from tests.processes import Processes
from tests.tools import missing
from tests.waiting import eventually

NOT_YET_INITIALIZED = 94


async def test_who_has_the_key_and_nobody_else_can_set_it_up(tmp_path: Path) -> None:
    """A member takes the manifest's options, refuses strangers, and takes the key for a login, as the Job does.

    So the Job can make the replica set before there is any user, and from another pod.
    """
    spec = pod(one(overlay("ingress"), "StatefulSet", "mongodb"))
    _, *options = spec["containers"][0]["command"]
    [port] = free_ports(1)
    key = secrets.token_hex(32)
    (tmp_path / "key").write_text(key)
    (tmp_path / "key").chmod(0o400)
    try:
        mongod = str(find_mongod())
    except StartupError as error:
        missing(str(error))
    own = (f"--dbpath={tmp_path}", f"--port={port}", "--nounixsocket", "--wiredTigerCacheSizeGB=0.25")
    taken = (option.replace("/run/mongodb", str(tmp_path)) for option in options if option != "--bind_ip_all")
    program = Program("mongod", f"{HOST}:{port}", (mongod, *taken, *own, f"--bind_ip={HOST}"))
    address = f"{HOST}:{port}/?directConnection=true&serverSelectionTimeoutMS=2000"
    stranger: MongoClient[dict[str, Any]] = MongoClient(f"mongodb://{address}")
    member: MongoClient[dict[str, Any]] = MongoClient(
        f"mongodb://__system:{key}@{address}&authSource=local&authMechanism=SCRAM-SHA-256"
    )
    with Processes([program], tmp_path) as processes, stranger, member:
        processes.start_what_is_down()

        def answers() -> bool:
            try:
                return bool(stranger.admin.command("ping"))
            except PyMongoError:
                return False

        await eventually(answers, timeout_s=30, message=f"mongod answers\n{processes.tails()}")
        with pytest.raises(OperationFailure, match="requires authentication"):
            stranger.admin.command("replSetGetStatus")
        with pytest.raises(OperationFailure) as not_yet:
            member.admin.command("replSetGetStatus")
        assert not_yet.value.code == NOT_YET_INITIALIZED
