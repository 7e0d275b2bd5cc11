"""Flask below gunicorn's sync workers."""

from flask import Flask, jsonify, request
from model import load

app = Flask(__name__)
model = load()


@app.get("/ping")
def ping():
    """Ready."""
    return ""


@app.post("/invocations")
def invocations():
    """Predict."""
    return jsonify(model.answer(request.get_json()))
