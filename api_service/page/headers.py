"""What the browser is told to refuse on the page, and how long it may keep the page's files."""

from urllib.parse import urlsplit

_SOCKET_SCHEMES = {"http": "ws", "https": "wss"}

FILE_HEADERS = {
    # Kept, but asked for again each time: after an upgrade no old module meets a new one.
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
}


def page_headers(public_ws_url: str) -> dict[str, str]:
    """Build the headers of the HTML document; `public_ws_url` is empty where the emitter shares the page's origin."""
    return FILE_HEADERS | {
        "Content-Security-Policy": content_security_policy(public_ws_url),
        "Referrer-Policy": "same-origin",
    }


def content_security_policy(public_ws_url: str) -> str:
    """Allow our own files and the socket's origin, and no markup made from strings (CSP Level 3, Trusted Types)."""
    return "; ".join(
        (
            "default-src 'self'",
            " ".join(("connect-src 'self'", *socket_sources(public_ws_url))),
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def socket_sources(public_ws_url: str) -> tuple[str, ...]:
    """Name the emitter's origin for both transports: long-polling speaks HTTP, the upgrade a websocket."""
    url = urlsplit(public_ws_url)
    if not url.netloc:
        return ()
    return (f"{url.scheme}://{url.netloc}", f"{_SOCKET_SCHEMES[url.scheme]}://{url.netloc}")
