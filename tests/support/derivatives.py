from core.derivatives import derivatives_of, original_of


def originals(keys: list[str]) -> list[str]:
    """The keys without those of smaller copies. Each original must have all of them, and each of them its original."""
    found = [key for key in keys if original_of(key) == key]
    assert sorted(keys) == sorted([*found, *derivatives_of(*found)])
    return found
