"""Messages to people, through the stage's topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.adapters.aws import calling

_SUBJECT_LIMIT = 100


class SnsNotices:
    """The Notices port on SNS."""

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client, self._topic = client, topic_arn

    def send(self, subject: str, text: str, attributes: Mapping[str, str]) -> None:
        """Publish one message; subscribers may filter by its attributes."""
        values = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        with calling("notices topic"):
            self._client.publish(
                TopicArn=self._topic, Subject=subject[:_SUBJECT_LIMIT], Message=text, MessageAttributes=values
            )
