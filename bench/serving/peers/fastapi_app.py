"""FastAPI with a pydantic model; a sync function, run in its thread pool, as its docs say for blocking work."""

from fastapi import FastAPI
from model import load
from pydantic import BaseModel

app = FastAPI()
model = load()


class Question(BaseModel):
    """Either kind of request."""

    text: str | None = None
    instances: list[list[float]] | None = None


@app.get("/ping")
def ping():
    """Ready."""
    return ""


@app.post("/invocations")
def invocations(question: Question):
    """Predict."""
    return model.answer({"text": question.text, "instances": question.instances})
