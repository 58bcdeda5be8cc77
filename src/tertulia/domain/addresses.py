"""Which network addresses callbacks may go to: those of the public internet, and those that the operator names."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["AddressRules", "Network", "is_ip_address"]

Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address

_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
_GLOBAL_UNICAST = ip_network("2000::/3")
"""All of IPv6 that is given out; the old site-local addresses, for example, lie elsewhere."""
_METADATA = (ip_address("168.63.129.16"),)
"""Where clouds answer their machines at an address that is public in form (Azure). The others are link-local, private
or shared, and refused as such: 169.254.169.254, fd00:ec2::254, 100.100.100.200."""


@dataclass(frozen=True, slots=True)
class AddressRules:
    """Says whether a callback may go to an address.

    Attributes:
        allowed: Networks that are allowed besides the public internet.
    """

    allowed: tuple[Network, ...] = ()

    def may_reach(self, text: str) -> bool:
        """Say whether a callback may go to an IP address, given as text; False for what is none."""
        try:
            address = ip_address(text)
        except ValueError:
            return False
        return all(self._is_allowed(each) or _is_public(each) for each in _meanings(address))

    def _is_allowed(self, address: _Address) -> bool:
        return any(address in network for network in self.allowed)


def is_ip_address(text: str) -> bool:
    """Say whether a host is given by its address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _meanings(address: _Address) -> Iterator[_Address]:
    """Yield the address at which a packet arrives: an IPv6 address may stand for an IPv4 one, which is what counts."""
    if isinstance(address, IPv4Address):
        yield address
        return
    inner: Iterable[IPv4Address | None] = (
        address.ipv4_mapped,
        address.sixtofour,
        *(address.teredo or ()),
        IPv4Address(int(address) & 0xFFFFFFFF) if any(address in network for network in _NAT64) else None,
        # Deprecated (RFC 4291, section 2.5.5.1), and understood by some systems all the same.
        IPv4Address(int(address)) if 1 < int(address) < 2**32 else None,
    )
    found = [each for each in inner if each is not None]
    if found:
        yield from found
    else:
        yield address


def _is_public(address: _Address) -> bool:
    return (
        (isinstance(address, IPv4Address) or address in _GLOBAL_UNICAST)
        and address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and address not in _METADATA
    )
