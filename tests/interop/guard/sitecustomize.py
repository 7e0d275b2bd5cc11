"""Loaded by Python itself at the start of a client: no connection and no name look-up leaves this machine.

What a client tries is written to the file INTEROP_ESCAPES names, one line each, and refused: no credential and no
telemetry can reach a real account, and a test fails when something tried.
"""

import ipaddress
import os
import sys
from typing import Any


def _address(event: str, arguments: tuple[Any, ...]) -> str | None:
    """Whom a socket event wants to reach; None for what is no address of a network."""
    if event == "socket.getaddrinfo":
        return None if arguments[0] is None else str(arguments[0])
    if event in ("socket.gethostbyname", "socket.gethostbyaddr"):
        return str(arguments[0])
    if event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        return str(arguments[1][0])
    return None


def _is_here(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address in ("", "localhost")


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: note and refuse what is not on this machine."""
    if not event.startswith("socket."):
        return
    address = _address(event, arguments)
    if address is None or _is_here(address):
        return
    with open(os.environ["INTEROP_ESCAPES"], "a") as file:
        file.write(f"{event} {address}\n")
    raise PermissionError(f"{event} {address}: nothing may leave this machine")


sys.addaudithook(refuse)
