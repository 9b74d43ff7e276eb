from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.addresses import LOOPBACK, client_address

_PROXIES = (*LOOPBACK, ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48"))
_CLIENT = "203.0.113.7"


@pytest.mark.parametrize(
    ("peer", "forwarded", "counted"),
    [
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", _CLIENT, _CLIENT),
        ("::1", _CLIENT, _CLIENT),
        ("::ffff:127.0.0.1", _CLIENT, _CLIENT),
        ("127.0.0.1", f"{_CLIENT}, 10.1.2.3", _CLIENT),
        ("10.9.9.9", f"{_CLIENT},10.1.2.3,127.0.0.1", _CLIENT),
        ("127.0.0.1", f" {_CLIENT} ,, ", _CLIENT),
        ("127.0.0.1", f"{_CLIENT}:4711", _CLIENT),
        ("127.0.0.1", f"[::ffff:{_CLIENT}]:4711", _CLIENT),
        ("127.0.0.1", "2001:db8::1", "2001:db8::/64"),
        ("127.0.0.1", "[2001:db8::1]", "2001:db8::/64"),
        ("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::/64"),
        ("127.0.0.1", "fe80::1%eth0", "fe80::/64"),
        ("2001:db8::1", "198.51.100.1", "2001:db8::/64"),
        ("127.0.0.1", "10.1.2.3, 10.4.5.6", "10.1.2.3"),
        ("", "198.51.100.1", ""),
    ],
)
def test_the_client_is_who_called_the_first_of_our_proxies(peer: str, forwarded: str, counted: str) -> None:
    """The rightmost address that is no proxy of ours; an IPv6 client is its network of 64 bits."""
    assert client_address(peer, forwarded, _PROXIES) == counted


@pytest.mark.parametrize("forged", ["127.0.0.1", "198.51.100.1", "unknown", "", "::1", "10.0.0.1, 10.0.0.2"])
def test_what_a_client_has_put_at_the_beginning_counts_for_nothing(forged: str) -> None:
    """Whoever could choose an address would have as many limits as it likes, and could use up those of others."""
    assert client_address("127.0.0.1", f"{forged}, {_CLIENT}", _PROXIES) == _CLIENT
    assert client_address(_CLIENT, forged, _PROXIES) == _CLIENT


@pytest.mark.parametrize(
    "hop", ["unknown", "_hidden", "203.0.113.7:http", "203.0.113", "[2001:db8::1", "[]", ":80", "1.2.3.4/8", "é"]
)
def test_a_proxy_that_names_nobody_stands_for_its_clients(hop: str) -> None:
    """What cannot be read is no address, and nothing before it is believed."""
    assert client_address("10.1.1.1", f"{_CLIENT}, {hop}", _PROXIES) == "10.1.1.1"


def test_a_long_chain_is_not_followed_for_ever() -> None:
    """A header that names our own proxies thousands of times takes no longer than one that names a few."""
    forwarded = ",".join([_CLIENT, *["127.0.0.1"] * 10_000])

    assert client_address("127.0.0.1", forwarded, _PROXIES) == "127.0.0.1"


_ANYTHING = st.text(max_size=80) | st.ip_addresses().map(str) | st.sampled_from(["", " ", "[", "]", ":", "127.0.0.1"])


@given(peer=_ANYTHING, hops=st.lists(_ANYTHING, max_size=8))
def test_any_header_is_read(peer: str, hops: list[str]) -> None:
    """Whatever is sent: there is an address in the end, the peer's or one that stands in the header."""
    counted = client_address(peer, ",".join(hops), _PROXIES)

    assert counted == peer or ip_network(counted)


@given(client=st.ip_addresses(), forged=st.lists(_ANYTHING, max_size=5), proxies=st.integers(0, 5))
def test_a_client_has_one_address_whatever_it_sends(
    client: IPv4Address | IPv6Address, forged: list[str], proxies: int
) -> None:
    """Behind any number of our proxies, with anything at the beginning of the header."""
    if any(client in network for network in _PROXIES) or getattr(client, "ipv4_mapped", None) is not None:
        return
    hops = [str(client), *["10.0.0.1"] * proxies]
    alone = client_address("127.0.0.1", str(client), _PROXIES)

    assert client_address("127.0.0.1", ",".join([*forged, *hops]), _PROXIES) == alone
    assert ip_address(str(client)) in ip_network(alone)


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_the_neighbours_in_a_network_of_ipv6_are_one_client(address: IPv6Address, number: int) -> None:
    """Who has one address of such a network has all of them."""
    neighbour = IPv6Address((int(address) >> 64 << 64) + number)
    if address.ipv4_mapped is not None or neighbour.ipv4_mapped is not None:
        return

    assert client_address(str(address), "", ()) == client_address(str(neighbour), "", ())
