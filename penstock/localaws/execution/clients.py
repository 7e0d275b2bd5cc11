"""boto3 clients for the embedded AWS: made once each, with explicit credentials, so no profile of a person is used."""

import threading
from typing import Any

import boto3
from botocore.config import Config

from penstock.localaws.execution.place import Place


class Clients:
    """One client a service. Clients are thread safe, making them is not, hence the lock."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}
        self._session: Any = None

    def client(self, service: str) -> Any:
        """The client of `service` at the place's endpoint. Call it from threads only, never on the event loop."""
        with self._lock:
            if service not in self._made:
                self._made[service] = self._make(service)
            return self._made[service]

    def _make(self, service: str) -> Any:
        if self._session is None:
            self._session = boto3.session.Session(
                aws_access_key_id=self._place.account,
                aws_secret_access_key="test",  # noqa: S106  MiniStack reads the account from the key id
                region_name=self._place.region,
            )
        config = Config(
            retries={"max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": "path"},
            connect_timeout=5,
            read_timeout=120,
            max_pool_connections=32,
        )
        return self._session.client(service, endpoint_url=self._place.endpoint_url, config=config)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for client in self._made.values():
                client.close()
            self._made.clear()
