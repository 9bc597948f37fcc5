"""What DATABASE_URL says. It may name several hosts, each with a port, as PostgreSQL's own clients have it."""

from urllib.parse import SplitResult, parse_qs, urlsplit

SCHEMES = frozenset({"postgresql", "postgres"})


def split_database_url(url: str) -> SplitResult | None:
    """None if it is no URL, such as one with a port of 99999."""
    try:
        parts = urlsplit(url)
        _ = [urlsplit(f"//{place}").port for place in _places(parts)]  # read from the text only now
    except ValueError:
        return None
    return parts


def hosts(parts: SplitResult) -> list[str]:
    """Those before the path, or else those in the query; of a Unix socket its folder."""
    named = [urlsplit(f"//{place}").hostname or "" for place in _places(parts)]
    return named or [host for host in last(parts, "host").split(",") if host]


def names_a_database(url: str) -> bool:
    parts = split_database_url(url)
    if parts is None or parts.scheme not in SCHEMES:
        return False
    return all(hosts(parts) or [""]) and len(parts.path) > 1


def last(parts: SplitResult, name: str) -> str:
    """A parameter of the query. Of one that is given twice the last value counts."""
    return parse_qs(parts.query).get(name, [""])[-1]


def _places(parts: SplitResult) -> list[str]:
    """`host` or `host:port`, each."""
    named = parts.netloc.rpartition("@")[2]
    return named.split(",") if named else []
