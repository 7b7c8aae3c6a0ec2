"""CORS for callers that run in Shopify's workers, whose origin is a CDN or null: any origin, never credentials."""

from flask import Blueprint, Response, request


def allow_any_origin(blueprint: Blueprint) -> None:
    """Answer preflights and put the headers on every answer of the blueprint, errors included."""

    @blueprint.before_request
    def preflight() -> Response | None:
        return Response(status=204) if request.method == "OPTIONS" else None

    @blueprint.after_request
    def headers(response: Response) -> Response:
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Allow-Methods"] = "POST, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response.headers["Access-Control-Max-Age"] = "7200"
        response.headers["Cache-Control"] = "no-store"
        return response
