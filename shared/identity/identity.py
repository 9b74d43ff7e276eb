"""Who calls, and what it may do: what a token proves (RFC 7519)."""

import math
from typing import NamedTuple

PRODUCTS_READ = "products:read"
"""Asked for only where reading is not public."""

PRODUCTS_WRITE = "products:write"
MESSAGES_SEND = "messages:send"

OPERATE = "operate"
"""What operators see and do, at the API, and at an emitter without its secret."""


class Identity(NamedTuple):
    """A caller: its `sub`, what its `scope` names (RFC 8693, section 4.2), and until when that holds, in Unix seconds.

    One that is trusted may do everything: where there are no tokens, on a machine of one's own.
    """

    subject: str | None = None
    scopes: frozenset[str] = frozenset()
    expires_at: float = math.inf
    is_trusted: bool = False

    def may(self, scope: str) -> bool:
        """Tell whether it was given the scope."""
        return self.is_trusted or scope in self.scopes


ANYONE = Identity()
"""Who has no token."""
