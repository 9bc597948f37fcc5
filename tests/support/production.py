"""Imports every module of the service and makes the app of production. A program that says `made` at its end."""

import pkgutil
from importlib import import_module

STAYS_OUT = ("adapters.development", "entrypoints.container.development", "entrypoints.development", "entrypoints.demo")
"""What production never imports."""
SETTINGS = {
    "DATABASE_URL": "postgresql://somebody@nowhere/database",
    "RABBITMQ_HOST": "nowhere",
    "GCS_BUCKET_NAME": "bucket",
    "GOOGLE_CLIENT_ID": "client",
    "GOOGLE_CLIENT_SECRET": "secret",
    "TOSS_SECRET_KEY": "key",
    "SECRET_KEY": "key",
    "INTERNAL_API_TOKEN": "token",
    "OPERATOR_TOKEN": "token",
}


def main() -> None:
    for root in ("core", "adapters", "entrypoints"):
        for module in pkgutil.walk_packages(import_module(root).__path__, f"{root}."):
            if not module.name.startswith(STAYS_OUT) and not module.name.endswith("__main__"):
                import_module(module.name)

    from entrypoints.container import create_container
    from entrypoints.http import openapi
    from entrypoints.http.app import create_app
    from entrypoints.settings import read_settings

    settings = read_settings(SETTINGS)
    openapi.document(create_app(create_container(settings), settings))
    print("made")


if __name__ == "__main__":
    main()
