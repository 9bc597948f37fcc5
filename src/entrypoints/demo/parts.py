import httpx

from entrypoints.command_failed import CommandFailed
from entrypoints.demo import admin, play
from entrypoints.demo.service import running_service
from entrypoints.settings import Settings


def main(settings: Settings, *, admins_day: bool) -> None:
    """Raises CommandFailed."""
    try:
        if admins_day:
            with running_service(settings, PAYOUT_DELAY_DAYS="0") as base:
                admin.play(base)
        else:
            with running_service(settings) as base:
                play.play(base, settings.data_dir / "demo")
    except httpx.HTTPError as error:
        raise CommandFailed(f"The service does not answer: {error}") from error
