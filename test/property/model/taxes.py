"""The taxes of a line, and the taxes within a price that includes them (rules of section 1 and rule 12)."""

from fractions import Fraction
from typing import NamedTuple

from .figures import exact, half_away


class Tax(NamedTuple):
    id: int
    amount_type: str
    amount: Fraction  # percent, or cents a unit
    included: bool
    affects_base: bool


def tax_of(fields):
    amount = exact(fields["amount"])
    amount_type = fields.get("amount_type", "percent")
    return Tax(
        fields["id"],
        amount_type,
        amount if amount_type == "percent" else amount * 100,
        fields.get("included", False),
        fields.get("affects_base", False),
    )


def _as_shares(taxes, qty, rounded=False):
    """Each tax as (of the untaxed amount, fixed): tax = slope × untaxed + offset, and so is the base that it is of."""
    base_slope, base_offset = Fraction(1), Fraction(0)
    result = []
    for tax in taxes:
        if tax.amount_type == "fixed":
            slope, offset = Fraction(0), half_away(tax.amount * qty) if rounded else tax.amount * qty
        else:
            slope, offset = base_slope * tax.amount / 100, base_offset * tax.amount / 100
        if tax.affects_base:
            base_slope, base_offset = base_slope + slope, base_offset + offset
        result.append((slope, offset))
    return result


def taxes_of_line(price, qty, taxes, rounded=False):
    """The exact taxes of a line that costs `price` cents, included taxes in it: one for each of `taxes`. `rounded`:
    with the fixed ones rounded."""
    shares = _as_shares(taxes, qty, rounded)
    slope = 1 + sum(s for tax, (s, _) in zip(taxes, shares) if tax.included)
    offset = sum(o for tax, (_, o) in zip(taxes, shares) if tax.included)
    untaxed = (price - offset) / slope
    return [s * untaxed + o for s, o in shares]


def rounded_taxes_of_line(price, qty, taxes):
    """`per_line`: each tax rounded. The untaxed amount takes the rounding difference of the included taxes; those on top
    are taken of that, and of the earlier taxes as they were rounded."""
    exacts = taxes_of_line(price, qty, taxes, rounded=True)
    rounded = [half_away(amount) for amount in exacts]
    untaxed = price - sum(amount for tax, amount in zip(taxes, rounded) if tax.included)
    for n, tax in enumerate(taxes):
        if not tax.included and tax.amount_type == "percent":
            base = untaxed + sum(rounded[m] for m in range(n) if taxes[m].affects_base)
            rounded[n] = half_away(base * tax.amount / 100)
    return rounded


def taxes_within(amount, taxes):
    """The exact percent taxes within `amount` cents that include them all: one for each of `taxes`."""
    shares = _as_shares(taxes, 0)
    untaxed = amount / (1 + sum(s for s, _ in shares))
    return [s * untaxed for s, _ in shares]


def group_of(taxes):
    """Lines of one tax group have the same percent taxes."""
    return tuple(tax for tax in taxes if tax.amount_type == "percent")
