"""The one error shape, `{"error": {"code", "message"}}`, for everything that can fail at an edge."""

import logging
from collections.abc import Mapping

from flask import Flask, Response, jsonify
from flask_smorest import Api
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from shopify_upsell.core import RetryLater, UpsellError
from shopify_upsell.database import is_transient

log = logging.getLogger(__name__)

CODES = {
    400: "bad_request",
    401: "invalid_signature",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "wrong_content_type",
    422: "invalid_input",
    429: "too_many_requests",
}


class ShapedApi(Api):  # type: ignore[misc]  # flask-smorest ships no types
    """flask-smorest's Api, with our error shape in place of its own."""

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer an HTTP error raised by Werkzeug or by argument parsing."""
        return answer_http_error(error)


def error_answer(status: int, code: str, message: str) -> Response:
    """Build an error answer."""
    response = jsonify({"error": {"code": code, "message": message}})
    response.status_code = status
    return response


def answer_http_error(error: HTTPException) -> Response:
    """Answer an HTTPException; a 422 names the fields that were wrong, never their values."""
    status = error.code or 500
    message = error.description or error.name
    if status == 422:
        problems = getattr(error, "data", {}).get("messages", {})
        names = sorted({str(name) for place in problems.values() if isinstance(place, dict) for name in place})
        message = f"not valid: {', '.join(names)}" if names else "not valid"
    return error_answer(status, CODES.get(status, "http_error"), message)


def register_errors(app: Flask, status_by_error: Mapping[type[UpsellError], int]) -> None:
    """Answer every failure of the app in the one shape; unforeseen ones say nothing of their inside."""

    @app.errorhandler(UpsellError)
    def expected(error: UpsellError) -> Response:
        status = next((code for kind, code in status_by_error.items() if isinstance(error, kind)), 500)
        if status >= 500:
            log.error("request_failed", extra={"code": error.code}, exc_info=error)
        response = error_answer(status, error.code, error.message)
        if isinstance(error, RetryLater):
            response.headers["Retry-After"] = str(max(1, round(error.after.total_seconds())))
        return response

    @app.errorhandler(ValidationError)
    def invalid(error: ValidationError) -> Response:
        names = sorted(map(str, error.messages)) if isinstance(error.messages, dict) else []
        return error_answer(422, "invalid_input", f"not valid: {', '.join(names)}")

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        return answer_http_error(error)

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        if is_transient(error):
            log.warning("database_unavailable", extra={"error": type(error).__name__})
            response = error_answer(503, "try_again", "the database is busy")
            response.headers["Retry-After"] = "5"
            return response
        log.error("request_failed", extra={"error": type(error).__name__}, exc_info=error)
        return error_answer(500, "internal_error", "something went wrong")
