"""Whose address counts (attack: forged X-Forwarded-For)."""

from __future__ import annotations

import pytest

from bkend.http.addresses import client_address, is_loopback, parse_networks

TRUSTED = parse_networks("127.0.0.1, 10.0.0.0/8, 2001:db8::/32")


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        # no header: the peer
        ("203.0.113.1", None, ("203.0.113.1", True)),
        ("127.0.0.1", None, ("127.0.0.1", True)),
        ("", None, ("", True)),
        # a peer that is not trusted may write what it wants
        ("203.0.113.1", "9.9.9.9", ("203.0.113.1", False)),
        ("203.0.113.1", "127.0.0.1", ("203.0.113.1", False)),
        ("", "9.9.9.9", ("", False)),
        ("unix:", "9.9.9.9", ("unix:", False)),
        # a trusted one is believed, from the right to the first stranger
        ("127.0.0.1", "9.9.9.9", ("9.9.9.9", True)),
        ("127.0.0.1", "1.1.1.1, 9.9.9.9", ("9.9.9.9", True)),
        ("127.0.0.1", "1.1.1.1,9.9.9.9, 10.1.2.3", ("9.9.9.9", True)),
        ("10.9.9.9", " 9.9.9.9 ", ("9.9.9.9", True)),
        ("2001:db8::1", "2001:db9::5", ("2001:db9::5", True)),
        ("::ffff:127.0.0.1", "9.9.9.9", ("9.9.9.9", True)),
        # all of them trusted: the first hop is the client
        ("127.0.0.1", "10.1.1.1, 10.2.2.2", ("10.1.1.1", True)),
        # nonsense on the way: nobody knows
        ("127.0.0.1", "", ("127.0.0.1", False)),
        ("127.0.0.1", "unknown", ("127.0.0.1", False)),
        ("127.0.0.1", "9.9.9.9, nonsense", ("127.0.0.1", False)),
        ("127.0.0.1", "nonsense, 9.9.9.9", ("9.9.9.9", True)),
        ("127.0.0.1", "9.9.9.9:1234", ("127.0.0.1", False)),
        ("127.0.0.1", "9.9.9.9,", ("127.0.0.1", False)),
    ],
)
def test_client_address(peer: str, forwarded: str | None, expected: tuple[str, bool]) -> None:
    assert client_address(peer, forwarded, TRUSTED) == expected


def test_without_trusted_proxies_the_header_never_counts() -> None:
    assert client_address("127.0.0.1", "9.9.9.9", ()) == ("127.0.0.1", False)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:9.9.9.9", False),
        ("", False),
        ("localhost", False),
    ],
)
def test_loopback(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_no_networks(text: str) -> None:
    assert parse_networks(text) == ()


def test_addresses_and_networks_are_read() -> None:
    assert [str(one) for one in parse_networks("10.1.2.3/8, ::1")] == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize("text", ["localhost", "10.0.0.0/33", "1.2.3", "10.0.0.1 10.0.0.2"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_networks(text)
