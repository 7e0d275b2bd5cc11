"""Requests at a fixed rate whatever the server does: latency from the moment each was due, so waiting counts.

A closed loop stops asking a server that stalls, and so forgives it; this one does not.
"""

from __future__ import annotations

import asyncio
import sys
import time
from urllib.parse import urlsplit

import uvloop


async def run(url: str, body: bytes, rate: float, seconds: float) -> dict[str, float]:
    """Return p50, p99 and max in µs, requests asked and failed."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    took: list[float] = []
    failed = 0

    async def ask(due: float) -> None:
        nonlocal failed
        try:
            reader, writer = idle.pop() if idle else await asyncio.open_connection(host, port)
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            lower = head.lower()
            at = lower.find(b"content-length:")
            await reader.readexactly(int(lower[at + 15 : lower.index(b"\r\n", at)]))
            failed += not head.startswith(b"HTTP/1.1 200")
            if b"connection: close" in lower:
                writer.close()
            else:
                idle.append((reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            failed += 1
        took.append(time.perf_counter() - due)

    start = time.perf_counter() + 0.1
    tasks = []
    for number in range(int(rate * seconds)):
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(ask(due)))
    await asyncio.gather(*tasks)
    took.sort()
    at = {
        name: took[min(len(took) - 1, int(len(took) * share))] * 1e6
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }
    return {**at, "max": took[-1] * 1e6, "requests": len(took), "failed": failed}


def measure(url: str, body: bytes, rate: float, seconds: float) -> dict[str, float]:
    """The same, from outside a loop."""
    return uvloop.run(run(url, body, rate, seconds))


if __name__ == "__main__":
    print(measure(sys.argv[1], sys.argv[2].encode(), float(sys.argv[3]), float(sys.argv[4])))
