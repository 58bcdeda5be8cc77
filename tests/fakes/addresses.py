"""Networks that tests may reach."""

from ipaddress import ip_network

LOOPBACK = ip_network("127.0.0.0/8")
