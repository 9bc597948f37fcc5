"""The HTTP API: controllers by noun that call use cases and readers."""

import sys

# litestar.pagination takes a class from Advanced Alchemy where that is installed. It is not used here, and it brings
# the whole of SQLAlchemy: a second of every start and 30 MB of every process.
if "advanced_alchemy" not in sys.modules:
    sys.modules["advanced_alchemy"] = None  # type: ignore[assignment]
    try:
        import litestar.pagination  # noqa: F401
    finally:
        del sys.modules["advanced_alchemy"]
