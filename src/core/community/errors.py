from core.errors import Category, DomainError, NotFound


class SelfFollowNotAllowed(DomainError):
    code = "SELF_FOLLOW_NOT_ALLOWED"
    category = Category.MALFORMED


class DuplicateFollow(DomainError):
    code = "DUPLICATE_FOLLOW"
    category = Category.CONFLICT


class DuplicateLike(DomainError):
    code = "DUPLICATE_LIKE"
    category = Category.CONFLICT


class CommentNotFound(NotFound):
    code = "COMMENT_NOT_FOUND"


class ReplyDepthExceeded(DomainError):
    code = "REPLY_DEPTH_EXCEEDED"
    category = Category.INVALID
