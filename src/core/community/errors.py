from core.errors import Category, DomainError, NotFound


class SelfFollowNotAllowed(DomainError):
    code = "SELF_FOLLOW_NOT_ALLOWED"
    category = Category.MALFORMED
    message = "Nobody follows themselves."


class DuplicateFollow(DomainError):
    code = "DUPLICATE_FOLLOW"
    category = Category.CONFLICT
    message = "You follow this user already."


class DuplicateLike(DomainError):
    code = "DUPLICATE_LIKE"
    category = Category.CONFLICT
    message = "You like this image already."


class CommentNotFound(NotFound):
    code = "COMMENT_NOT_FOUND"
    message = "There is no such comment."


class ReplyDepthExceeded(DomainError):
    code = "REPLY_DEPTH_EXCEEDED"
    category = Category.INVALID
    message = "A reply cannot be replied to."
