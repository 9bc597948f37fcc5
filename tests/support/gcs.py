"""Google Cloud Storage's emulator, in this process and in memory. Imported when first used, because that is slow."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.support.ports import free_port


@dataclass(frozen=True, slots=True)
class Emulator:
    """The emulator's address, and a throw-away key to sign URLs with."""

    url: str
    key_file: Path

    def client(self) -> Any:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        return storage.Client(
            project="test", credentials=AnonymousCredentials(), client_options={"api_endpoint": self.url}
        )


@dataclass(frozen=True, slots=True)
class Bucket:
    """An empty bucket of the emulator."""

    emulator: Emulator
    name: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that configure the service to use this bucket."""
        return {
            "STORAGE_EMULATOR_HOST": self.emulator.url,
            "GCS_BUCKET_NAME": self.name,
            "GOOGLE_APPLICATION_CREDENTIALS": str(self.emulator.key_file),
        }


@contextlib.contextmanager
def running_emulator(directory: Path) -> Iterator[Emulator]:
    from gcp_storage_emulator.server import create_server

    port = free_port()
    key_file = directory / "service-account.json"
    key_file.write_text(json.dumps(_service_account()))
    with create_server("127.0.0.1", port, in_memory=True):
        yield Emulator(f"http://127.0.0.1:{port}", key_file)


def new_bucket(emulator: Emulator) -> Bucket:
    name = f"test-{uuid4().hex}"
    with contextlib.closing(emulator.client()) as client:
        client.create_bucket(name)
    return Bucket(emulator, name)


def _service_account() -> dict[str, str]:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "type": "service_account",
        "project_id": "test",
        "private_key_id": uuid4().hex,
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "client_email": "tests@test.iam.gserviceaccount.com",
        "client_id": "0",
        "token_uri": "http://localhost:1/nobody-asks-here",
    }
