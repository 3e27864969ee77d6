"""Rounding, and sharing a sum out so that the parts add up to it."""

import math
from fractions import Fraction

HUNDRED = 100


def half_away(value):
    """The nearest whole number; halves away from zero."""
    whole = math.floor(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


def down(value):
    """Towards zero."""
    return math.floor(value) if value >= 0 else -math.floor(-value)


def exact(value):
    """A number as it travels ("12.50", 3) as a fraction."""
    return Fraction(str(value))


def minor(value):
    """Money or points as they travel, in hundredths."""
    scaled = exact(value) * HUNDRED
    assert scaled.denominator == 1, f"{value} has more than two decimals"
    return int(scaled)


def share(amount, weights):
    """Rule 12: `amount` in proportion to `weights`, by the largest remainder, the first winning a tie."""
    total = sum(weights)
    quotas = [Fraction(amount * weight, total) for weight in weights]
    parts = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(range(len(weights)), key=lambda i: (parts[i] - quotas[i], i))
    for i in by_remainder[: amount - sum(parts)]:
        parts[i] += 1
    return parts
