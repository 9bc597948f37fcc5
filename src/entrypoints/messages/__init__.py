"""Messages to clients by code, one catalogue per language."""

import msgspec

from core.errors import Details, DomainError
from core.problems import Problem
from entrypoints.messages import english, korean


class Catalogue(msgspec.Struct, frozen=True):
    """Templates by code, with `{name}` for each value that is filled in. An unknown code raises KeyError."""

    errors: dict[str, str]
    problems: dict[str, str]
    terms: dict[int, dict[str, str]]
    """By version: what artists affirm (`rights`), and what each licence permits."""

    def message(self, code: str, /, **values: object) -> str:
        """The message for an error's code."""
        return self.errors[code].format_map(values)

    def message_of(self, error: DomainError) -> str:
        return self.message(error.message_code or error.code, **(error.details or {}))

    def problem(self, problem: Problem) -> str:
        return self.problems[problem.code].format_map(problem.values)

    def details(self, details: Details) -> Details:
        """With a text for each Problem; other details stay as they are."""
        return {name: self.problem(value) if isinstance(value, Problem) else value for name, value in details.items()}


ENGLISH = Catalogue(english.ERRORS, english.PROBLEMS, english.TERMS)
KOREAN = Catalogue(korean.ERRORS, korean.PROBLEMS, korean.TERMS)


def for_operators(error: DomainError) -> str:
    """In English, with the reason, which clients never get."""
    message = ENGLISH.message_of(error)
    return f"{message.removesuffix('.')}: {error.reason}" if error.reason else message
