from core.errors import Category, DomainError, NotFound


class Unauthorized(DomainError):
    code = "UNAUTHORIZED"
    category = Category.UNAUTHENTICATED
    message = "Sign in first."


class UserNotFound(NotFound):
    code = "USER_NOT_FOUND"
    message = "There is no such user."


class UsernameTaken(DomainError):
    code = "USERNAME_TAKEN"
    category = Category.CONFLICT
    message = "This username is taken."


class IdentityTaken(DomainError):
    """A concurrent sign-up used the same identity."""

    code = "IDENTITY_TAKEN"
    category = Category.CONFLICT
    message = "There is a user with this identity already."


class AlreadyArtist(DomainError):
    code = "ALREADY_ARTIST"
    category = Category.CONFLICT
    message = "You are an artist already."


class ArtistOnly(DomainError):
    code = "ARTIST_ONLY"
    category = Category.FORBIDDEN
    message = "Only artists can do this."


class InvalidPicture(DomainError):
    """A profile image or signature in an unsupported format, damaged or too large; `details` names the field."""

    code = "INVALID_IMAGE_FORMAT"
    category = Category.INVALID
    message = "A JPEG or PNG image is needed."

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(details={field: problem})
