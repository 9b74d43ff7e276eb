"""All scripts, hand-written."""

from tests.protocol.script import Scripts
from tests.protocol.scripts import handshake, heartbeat, packets, polling, upgrade, websocket

ALL = Scripts()
for _module in (handshake, polling, upgrade, heartbeat, packets, websocket):
    assert not ALL.keys() & _module.SCRIPTS.keys(), "two scripts have the same name"
    ALL.update(_module.SCRIPTS)
