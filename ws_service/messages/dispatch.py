"""One message without a number, on its way to sockets."""

from typing import NamedTuple


class Dispatch(NamedTuple):
    """What is sent, as `(payload, meta)` under the name `event`. `payload` and `meta` are JSON, encoded once.

    `to` names rooms and topics; None is everyone. With `ack_timeout_ms` the sockets are asked to acknowledge it.
    """

    event: str
    payload: bytes
    meta: bytes = b"{}"
    to: tuple[str, ...] | None = None
    ack_timeout_ms: int | None = None
