import click

from entrypoints.cli.acting import Result, Scope, acting, reason, user


@click.group()
def users() -> None:
    """Suspend and restore users, and end their sessions."""


@users.command
@user
@reason
@acting
async def suspend(scope: Scope, user: str, reason: str) -> Result:
    """Suspend a user: end the sessions, refuse new ones, close the styles.

    USER is an id, a username or an e-mail address.
    """
    from core.moderation.suspend_user import SuspendUser

    user_id = await scope.user(user)
    await (await scope.get(SuspendUser))(scope.operator, user_id, reason=reason)
    return Result({"id": user_id, "standing": "suspended"}, f"User {user_id} is suspended.")


@users.command
@user
@reason
@acting
async def restore(scope: Scope, user: str, reason: str) -> Result:
    """Restore a suspended user. Styles stay closed until the artist opens them.

    USER is an id, a username or an e-mail address.
    """
    from core.moderation.restore_user import RestoreUser

    user_id = await scope.user(user)
    await (await scope.get(RestoreUser))(scope.operator, user_id, reason=reason)
    return Result({"id": user_id, "standing": "present"}, f"User {user_id} is restored.")


@users.command("end-sessions")
@user
@acting
async def end_sessions(scope: Scope, user: str) -> Result:
    """End all sessions of a user. USER is an id, a username or an e-mail address."""
    from core.accounts.end_sessions import EndSessions

    user_id = await scope.user(user)
    ended = await (await scope.get(EndSessions))(scope.operator, user_id)
    return Result({"id": user_id, "sessions_ended": ended}, f"{ended} sessions of user {user_id} ended.")
