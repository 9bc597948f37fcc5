"""What the tests of accounts share."""

from core.accounts.model import User
from tests.contracts.overlap import Work


def saving(user: User) -> Work:
    return lambda ports: ports.users.save(user)
