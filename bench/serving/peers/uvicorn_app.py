"""ASGI without a framework: the model, or ($CONSTANT) one answer without any model, the limit of what HTTP allows."""

import json
import os

from model import CONSTANT, load

model = None if os.environ.get("CONSTANT") else load()


async def app(scope, receive, send):
    """Predict."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    if scope["path"] == "/ping":
        answer = b""
    else:
        answer = CONSTANT if model is None else json.dumps(model.answer(json.loads(body))).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
