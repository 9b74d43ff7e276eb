"""Why a caller is not known."""


class BadToken(Exception):
    """A token that proves nothing. The message is constant: what was sent stands in no log and no answer."""


class KeysAway(Exception):
    """The key that a token names cannot be looked up now. The same token may be good in a moment."""
