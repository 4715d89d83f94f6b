"""What simulations tell of their progress."""

from collections.abc import Callable


def ascending() -> Callable[[float], None]:
    """A listener that fails unless what it hears are fractions in [0, 1] that grow from one report to the next."""
    last = -1.0

    def report(fraction: float) -> None:
        nonlocal last
        assert 0 <= fraction <= 1
        assert fraction > last
        last = fraction

    return report
