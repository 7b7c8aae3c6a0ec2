"""The peer of every web figure: a Flask app that answers an empty JSON object."""

from flask import Flask, Response, jsonify


def create() -> Flask:
    """The app."""
    app = Flask(__name__)

    @app.get("/")
    def nothing() -> Response:
        return jsonify({})

    return app
