"""Where a request comes from: the address of a client that is behind proxies, and what of it is counted."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address

LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

_WITH_PORT = re.compile(r"(\[(?P<v6>[^\]]*)\]|(?P<v4>[^:]*))(:[0-9]{1,5})?", re.ASCII)

# More proxies than anybody has one behind the other: what is before them is not read.
_MOST_HOPS = 20
# Who has one address of an IPv6 network has 2**64 of them.
_COUNTED_BITS = 64


def client_address(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """Return the address that a request comes from, as it is counted: an IPv4 address, or an IPv6 network of 64 bits.

    Each proxy adds at the end of X-Forwarded-For whom it was called by, and anybody can begin the list. So it is read
    from its end, and only for as long as a trusted proxy wrote it.

    Args:
        peer: Who has called us.
        forwarded: X-Forwarded-For; several headers of that name are one list, with commas.
        trusted: The networks of our own proxies.
    """
    address = _read(peer)
    if address is None:
        return peer  # a socket that is no network's
    for hop in reversed(forwarded.rsplit(",", _MOST_HOPS)):
        if not _is_in(address, trusted):
            break
        if not hop.strip():
            continue
        before = _read(hop)
        if before is None:
            break  # a proxy that does not say whom it was called by stands for all whom it serves
        address = before
    return _counted(address)


def _read(text: str) -> _Address | None:
    """Read an address, as it is or with a port: `192.0.2.1:80`, `[2001:db8::1]:80`."""
    found = _WITH_PORT.fullmatch(text.strip())
    try:
        address = ip_address(found["v6"] or found["v4"] if found else text.strip())
    except ValueError:
        return None
    # A socket for both families calls an IPv4 client ::ffff:192.0.2.1, which must not be another one.
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _is_in(address: _Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _counted(address: _Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address), _COUNTED_BITS), strict=False))
