"""What the browser is told to refuse on the page, and how long it may keep the page's files."""

from urllib.parse import urlsplit

_SOCKET_SCHEMES = {"http": "ws", "https": "wss"}

# What browsers could let a page do, and a catalogue has no use for.
_UNUSED_FEATURES = (
    "accelerometer",
    "browsing-topics",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "hid",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "publickey-credentials-get",
    "serial",
    "usb",
)

FILE_HEADERS = {
    # Kept, but asked for again each time: after an upgrade no old module meets a new one.
    "Cache-Control": "no-cache",
}


def page_headers(public_ws_url: str) -> dict[str, str]:
    """Build the headers of the HTML document; `public_ws_url` is empty where the emitter shares the page's origin."""
    return FILE_HEADERS | {
        "Content-Security-Policy": content_security_policy(public_ws_url),
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _UNUSED_FEATURES),
    }


def content_security_policy(public_ws_url: str) -> str:
    """Allow our own files and the socket's origin, and no markup made from strings (CSP Level 3, Trusted Types).

    A token stands in the tab's storage, where any script of this origin could read it.
    """
    return "; ".join(
        (
            # Nothing is allowed that is not named.
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            " ".join(("connect-src 'self'", *socket_sources(public_ws_url))),
            "base-uri 'none'",
            # The forms are scripts': sent by the browser, what was typed would stand in a URL, a token too.
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def socket_sources(public_ws_url: str) -> tuple[str, ...]:
    """Name the emitter's origin for both transports: long-polling speaks HTTP, the upgrade a websocket."""
    url = urlsplit(public_ws_url)
    if not url.netloc:
        return ()
    return (f"{url.scheme}://{url.netloc}", f"{_SOCKET_SCHEMES[url.scheme]}://{url.netloc}")
