"""Error responses: one table from categories to status codes, one envelope."""

import logging
from typing import Any

from litestar import MediaType, Request, Response
from litestar.enums import ParamType
from litestar.exceptions import HTTPException, MethodNotAllowedException, ValidationException
from litestar.params import ParameterKwarg
from litestar.types import ExceptionHandlersMap
from litestar.typing import FieldDefinition

from core.errors import Category, DomainError, NotFound, ValidationError
from core.ports.idempotency import AlreadyAnswered
from entrypoints.http.envelope import Refusal, Refused
from entrypoints.http.languages import catalogue_for
from entrypoints.http.operation import Operation, operation_of
from entrypoints.http.problems import problem_of_msgspec
from entrypoints.messages import Catalogue

logger = logging.getLogger(__name__)

AnyRequest = Request[Any, Any, Any]

STATUS = {
    Category.INVALID: 422,
    Category.MALFORMED: 400,
    Category.UNAUTHENTICATED: 401,
    Category.UNAFFORDABLE: 402,
    Category.FORBIDDEN: 403,
    Category.NOT_FOUND: 404,
    Category.CONFLICT: 409,
    Category.TOO_MANY: 429,
    Category.UNAVAILABLE: 503,
}

FRAMEWORK = {
    400: "BAD_REQUEST",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    431: "HEAD_TOO_LARGE",
    499: "CLIENT_CLOSED_REQUEST",
}
"""Refusals before the controller runs, or while it reads the body."""

REPLAYED = "Idempotent-Replayed"

INTERNAL = "INTERNAL_ERROR"


class MalformedBody(DomainError):
    code = "MALFORMED_BODY"
    category = Category.MALFORMED


class BodyRequired(MalformedBody):
    message_code = "BODY_REQUIRED"


class JsonObjectRequired(MalformedBody):
    message_code = "JSON_OBJECT_REQUIRED"


def status_of(error: DomainError | type[DomainError], operation: Operation) -> int:
    """The status code of a refusal by the route of this operation."""
    own = operation.malformed if error.category is Category.MALFORMED else None
    return own or STATUS[error.category]


def refuse_domain_error(request: AnyRequest, error: DomainError) -> Response[Refused]:
    return _refuse(request, status_of(error, operation_of(request.route_handler)), error)


def refuse_unmatched(request: AnyRequest, error: DomainError) -> Response[Refused]:
    """A refusal of a call that no route answers."""
    return _refuse(request, STATUS[error.category], error)


def _refuse(request: AnyRequest, status: int, error: DomainError) -> Response[Refused]:
    if error.category is Category.UNAVAILABLE:
        logger.error("%s", error, exc_info=error)
    catalogue = _catalogue(request)
    details = error.details and catalogue.details(error.details)
    return _answer(status, Refusal(error.code, catalogue.message_of(error), details))


def refuse_invalid_parameters(request: AnyRequest, error: ValidationException) -> Response[Refused]:
    """Invalid query parameters, paths of no resource, missing bodies."""
    extra = error.extra if isinstance(error.extra, list) else []
    if any(problem.get("source") is ParamType.PATH for problem in extra):
        return refuse_domain_error(request, NotFound())
    if any(problem.get("key") == "data" for problem in extra):
        return refuse_domain_error(request, BodyRequired())
    fields = {
        _as_sent(request, problem.get("key", "query")): problem_of_msgspec(problem["message"]) for problem in extra
    }
    return refuse_domain_error(request, ValidationError(**fields))


def _as_sent(request: AnyRequest, parameter: str) -> str:
    """The parameter's name in the API."""
    field = request.route_handler.parsed_fn_signature.parameters.get(parameter)
    return name_as_sent(field) if field else parameter


def name_as_sent(field: FieldDefinition) -> str:
    kwarg = field.kwarg_definition
    return (kwarg.name if isinstance(kwarg, ParameterKwarg) else None) or field.name


def refuse_http_exception(request: AnyRequest, error: HTTPException) -> Response[Refused]:
    if error.status_code not in FRAMEWORK:
        return fail(request, error)
    response = _answer_code(request, error.status_code, FRAMEWORK[error.status_code])
    if isinstance(error, MethodNotAllowedException) and error.headers:
        allowed = set(error.headers["allow"].split(", "))
        response.headers["Allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
    return response


def replay(_: AnyRequest, error: AlreadyAnswered) -> Response[bytes]:
    """The stored response of the same call, with the header that marks a replay."""
    answer = error.answer
    return Response(answer.body, status_code=answer.status, headers={**answer.headers, REPLAYED: "true"})


def fail(request: AnyRequest, error: Exception) -> Response[Refused]:
    """An unexpected error: the log gets the details, the client only the trace id."""
    logger.error("unexpected error in %s %s", request.method, request.scope["path"], exc_info=error)
    return _answer_code(request, 500, INTERNAL)


def _catalogue(request: AnyRequest) -> Catalogue:
    return catalogue_for(request.headers.get("accept-language"))


def _answer_code(request: AnyRequest, status: int, code: str) -> Response[Refused]:
    return _answer(status, Refusal(code, _catalogue(request).message(code), None))


def _answer(status: int, refusal: Refusal) -> Response[Refused]:
    return Response(
        Refused(error=refusal),
        status_code=status,
        media_type=MediaType.JSON,
        headers={"Vary": "Accept-Language, Cookie"},
    )


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    DomainError: refuse_domain_error,
    ValidationException: refuse_invalid_parameters,
    HTTPException: refuse_http_exception,
    AlreadyAnswered: replay,
    Exception: fail,
}
