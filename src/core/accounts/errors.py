from core.errors import Category, DomainError, NotFound
from core.problems import Problem


class Unauthorized(DomainError):
    code = "UNAUTHORIZED"
    category = Category.UNAUTHENTICATED


class UserNotFound(NotFound):
    code = "USER_NOT_FOUND"


class NotOneUser(UserNotFound):
    """No user, or several, with an id, username or e-mail address."""

    message_code = "NOT_ONE_USER"

    def __init__(self, who: str, *, found: int) -> None:
        super().__init__(details={"who": who, "found": found})


class SessionNotFound(NotFound):
    code = "SESSION_NOT_FOUND"


class NotAnAdmin(DomainError):
    code = "NOT_AN_ADMIN"
    category = Category.CONFLICT


class OwnAccount(DomainError):
    """An admin tried to do to their own account what only another admin may do."""

    code = "OWN_ACCOUNT"
    category = Category.CONFLICT


class UsernameTaken(DomainError):
    code = "USERNAME_TAKEN"
    category = Category.CONFLICT


class IdentityTaken(DomainError):
    """A concurrent sign-up used the same identity."""

    code = "IDENTITY_TAKEN"
    category = Category.CONFLICT


class AlreadyArtist(DomainError):
    code = "ALREADY_ARTIST"
    category = Category.CONFLICT


class ArtistNameTaken(DomainError):
    code = "ARTIST_NAME_TAKEN"
    category = Category.CONFLICT


class EmailNotVerified(DomainError):
    """An artist's address is not the one that the identity provider has verified for the account."""

    code = "EMAIL_NOT_VERIFIED"
    category = Category.INVALID


class ArtistOnly(DomainError):
    code = "ARTIST_ONLY"
    category = Category.FORBIDDEN


class InvalidPicture(DomainError):
    """A profile image or signature in an unsupported format, damaged or too large; `details` names the field."""

    code = "INVALID_IMAGE_FORMAT"
    category = Category.INVALID

    def __init__(self, field: str, problem: Problem) -> None:
        super().__init__(details={field: problem})
