"""Where the sockets of a Storecast are."""

from deploy.cli.api import Api
from deploy.cli.errors import Refused

_PATH = "/websocket-service"


async def socket_url(origin: str, token: str | None) -> str:
    """Return the plain websocket that goes with an origin, as its page is told; else the emitter's at that origin."""
    async with Api.at(origin, token) as api:
        try:
            config = await api.page_config()
        except Refused:
            # An emitter's own origin, where there is no page.
            config = {"socket_url": "", "socket_path": _PATH}
    base = config["socket_url"] or origin
    return f"{base.replace('http', 'ws', 1)}{config['socket_path'].rstrip('/')}/raw"
