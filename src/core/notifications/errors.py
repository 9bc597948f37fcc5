from core.errors import NotFound


class NotificationNotFound(NotFound):
    code = "NOTIFICATION_NOT_FOUND"
