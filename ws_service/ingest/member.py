"""Who is behind a subscription."""

from typing import NamedTuple

from shared.rooms import private_rooms


class Member(NamedTuple):
    """A socket's public id, and the `sub` of its token.

    `acknowledges` says whether it can be asked to acknowledge what it is sent.
    """

    sid: str = ""
    user: str | None = None
    acknowledges: bool = False

    @property
    def rooms(self) -> tuple[str, ...]:
        """The rooms that it is in by its token."""
        return () if self.user is None else private_rooms(self.user)


ANYONE = Member()
"""A socket that is nobody in particular."""
