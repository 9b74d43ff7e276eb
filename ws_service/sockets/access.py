"""Who comes, what that permits, and for how long."""

from typing import NamedTuple, Self

from shared.identity.tokens import Tokens
from shared.serving.tokens import tokens_of
from ws_service.ingest.subscriptions import Subscriptions
from ws_service.settings import Settings
from ws_service.sockets.standing import Standings
from ws_service.topics.permissions import Permissions


class Access(NamedTuple):
    """What all who take clients ask."""

    tokens: Tokens
    permissions: Permissions
    standings: Standings

    @classmethod
    def of(cls, settings: Settings, subscriptions: Subscriptions) -> Self:
        """Make it by the settings; raise StartupError."""
        tokens, permissions = tokens_of(settings), Permissions(settings)
        anyone = tokens.identify_now(None)
        return cls(tokens, permissions, Standings(subscriptions, permissions, anyone, settings.token_notice_seconds))
