"""Load, faults and duration of a run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    """Chooses actions and faults; their exact timing is up to the machine."""
    kills: int = 20
    """How often a server is killed, and how often the relay."""
    stops: int = 2
    """How often the broker is stopped and started again."""
    freezes: int = 2
    """How often the broker is frozen."""
    fills: int = 2
    """How often a queue is full for a while."""
    restarts: int = 3
    """How often the database is stopped at once, as by a crash, and started again."""
    frozen: float = 12.0
    """Seconds for which the broker answers nothing."""
    calm: float = 6.0
    """Seconds between two faults of the same kind of part, at most."""
    buyers: int = 16
    pause: float = 0.8
    """Seconds between two actions of a buyer, on average."""
    trainings: bool = True
    """Whether artists keep creating styles."""
    probes: int = 30
    """Requests for images that are timed with the broker there, stopped and frozen."""
    silence: int = 15
    """Seconds after which an attempt has failed."""
    variants: tuple[str, ...] = ()
    """Changes made to the service: see `altered`."""
    patience: float = 300.0
    """Seconds within which everything has to end after the last fault."""


SHORT = Plan(
    seed=1,
    kills=2,
    stops=0,
    freezes=1,
    fills=1,
    restarts=1,
    frozen=4.0,
    calm=1.0,
    buyers=6,
    pause=0.3,
    trainings=False,
    probes=0,
    silence=4,
    variants=("hasty",),
    patience=120.0,
)
"""For `make test`."""
