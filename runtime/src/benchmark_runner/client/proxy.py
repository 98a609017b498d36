"""The proxy of the environment for one URL; what is not used for it does not matter."""

import ipaddress
import os
from contextlib import suppress
from urllib.request import getproxies

import httpx

from benchmark_runner.errors import UsageError

__all__ = ["proxy_for"]


def proxy_for(url: httpx.URL) -> httpx.Proxy | None:
    """Return the proxy that the environment names for a URL; ``None`` to connect directly.

    Entries of ``NO_PROXY`` are names, addresses and ranges of addresses; others are passed over.

    Raises:
        UsageError: requests can't go through that proxy.
    """
    proxies = getproxies()
    scheme = url.scheme if proxies.get(url.scheme) else "all"
    address = proxies.get(scheme)
    exempt = proxies.get("no", "").replace(",", " ").lower().split()
    if not address or any(_is_exempt(url, entry) for entry in exempt):
        return None
    with suppress(ValueError, httpx.InvalidURL):
        proxy = httpx.Proxy(address if "://" in address else f"http://{address}")
        if proxy.url.scheme in ("http", "https") and proxy.url.host:
            return proxy
    variable = _variable(f"{scheme}_proxy")
    raise UsageError(  # not its value, which may hold a password
        f"the proxy in {variable} can't be used: it is not an http or https URL",
        hint=f"Correct or unset {variable}, or add {url.host} to NO_PROXY.",
    )


def _variable(name: str) -> str:
    set_here = [variable for variable in os.environ if variable.lower() == name]
    return (set_here or [name.upper()])[0]


def _is_exempt(url: httpx.URL, entry: str) -> bool:
    if entry == "*":
        return True
    host, port = url.raw_host.decode().lower(), url.port or {"http": 80, "https": 443}[url.scheme]
    wanted = entry.rpartition("://")[2]
    name, _, given_port = wanted.rpartition(":")
    if given_port.isdecimal() and (":" not in name or name.endswith("]")):
        if int(given_port) != port:
            return False
        wanted = name
    with suppress(ValueError):
        address = ipaddress.ip_address(host.strip("[]"))
        with suppress(ValueError):
            return address in ipaddress.ip_network(wanted.strip("[]"), strict=False)
        return False
    name = wanted.removeprefix("*").removeprefix(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))
