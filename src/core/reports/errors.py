from core.errors import Category, DomainError, NotFound


class ReportNotFound(NotFound):
    code = "REPORT_NOT_FOUND"


class AlreadyReported(DomainError):
    """A person reports a target once, also after a decision."""

    code = "ALREADY_REPORTED"
    category = Category.CONFLICT


class SelfReportNotAllowed(DomainError):
    """Nobody reports themselves or what is theirs."""

    code = "SELF_REPORT_NOT_ALLOWED"
    category = Category.MALFORMED


class ReportResolved(DomainError):
    code = "REPORT_RESOLVED"
    category = Category.CONFLICT


class OwnContentReported(DomainError):
    """An admin tried to decide on a report of themselves or of what is theirs."""

    code = "OWN_CONTENT_REPORTED"
    category = Category.FORBIDDEN
