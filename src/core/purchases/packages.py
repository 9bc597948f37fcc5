import msgspec

from core.purchases.errors import InvalidPackage


class Package(msgspec.Struct, frozen=True):
    """Tokens offered at a price."""

    package_id: str
    amount_tokens: int
    total_price: int
    """In whole units of the currency."""
    price_per_token: int
    currency_code: str
    """ISO 4217."""


PACKAGES = [
    Package("basic_100", amount_tokens=100, total_price=10_000, price_per_token=100, currency_code="KRW"),
    Package("standard_500", amount_tokens=500, total_price=45_000, price_per_token=90, currency_code="KRW"),
    Package("premium_1000", amount_tokens=1_000, total_price=80_000, price_per_token=80, currency_code="KRW"),
]


def package_of(package_id: str) -> Package:
    """Raises InvalidPackage."""
    for package in PACKAGES:
        if package.package_id == package_id:
            return package
    raise InvalidPackage
