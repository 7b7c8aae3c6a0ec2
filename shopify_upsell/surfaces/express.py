"""The busiest route as plain WSGI, before Flask: questions of storefront blocks that can be answered.

For such a question Flask's own work exceeds ours; nothing of it is needed. Whatever is not exactly that, a request that
proves nothing or asks for what cannot be read included, goes to Flask and its route of the same address, untouched.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from marshmallow import ValidationError

from shopify_upsell.core import ProofRefused
from shopify_upsell.surfaces.schemas import OffersQuery
from shopify_upsell.surfaces.theme_answers import NEVER_CACHED, ThemeAnswers, caller_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/proxy/offers"


class Express:
    """Answers what it can and hands everything else on. `headers`: those that every answer has."""

    def __init__(self, app: "WSGIApplication", answers: ThemeAnswers, *, headers: Sequence[tuple[str, str]]) -> None:
        self._app, self._answers, self._schema = app, answers, OffersQuery()
        self._headers = (("Content-Type", "application/json"), ("Cache-Control", NEVER_CACHED), *headers)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "GET":
            return self._app(environ, start_response)
        try:
            proof = self._answers.prove(environ.get("QUERY_STRING", "").encode("latin-1"))
            query = self._schema.load(proof.parameters)
        except (ProofRefused, ValidationError):
            return self._app(environ, start_response)
        body = self._answers.answer(proof, query, caller_of(environ))
        start_response("200 OK", [*self._headers, ("Content-Length", str(len(body)))])
        return [body]
