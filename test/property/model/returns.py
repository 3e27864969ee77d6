"""Processed orders as later returns see them, and what a return takes back (rules 33, 34)."""

from dataclasses import dataclass
from fractions import Fraction

from .figures import exact, half_away


def share_of(amount, part, whole):
    return half_away(Fraction(amount) * part / whole) if whole else 0


@dataclass
class Account:
    """Points that a sale moved on a card, and which lines they come back with."""

    card: object
    points: int
    weights: list  # cents by line
    kind: str  # earned, redeemed, sold (a card that a line sold)
    done: int = 0  # so far
    order: int = 0  # sold: which of its line's cards, the last one first
    others: int = 0  # earned: points on the other cards that the order made in the program,
    later: int = 0  # and on those of them that were made after this one: these go back first

    def due(self, sale):
        """What is to come back now."""
        if self.kind == "sold":
            (i,) = [i for i, weight in enumerate(self.weights) if weight]
            so_far = self.points if sale.returned[i] > self.order else 0
        else:
            all_cards = share_of(self.points + self.others, sale.refunded(self.weights), sum(self.weights))
            so_far = min(max(all_cards - self.later, 0), self.points)
        now, self.done = so_far - self.done, so_far
        return now


class Sale:
    """A processed order: money by line, points by card, and what came back so far."""

    def __init__(self, model, order, instant):
        self.order_id, self.partner, self.order = order["order_id"], order.get("partner_id"), order
        self.instant = instant
        places = [i for i, line in enumerate(model.lines) if not line.is_return]
        self.lines = [model.lines[i] for i in places]
        self.nets = [line.total - model.line_discount(i) for line, i in zip(self.lines, places)]
        self.taxes = [
            {tax.id: amount for tax, amount in zip(model.lines[i].taxes, model.state.taxes_left[i])} for i in places
        ]
        self.weights = self.nets
        if sum(self.nets) == 0:
            self.weights = [line.list_total() for line in self.lines]
        self.weights = [0 if line.sells is not None else weight for line, weight in zip(self.lines, self.weights)]
        self.accounts = []
        self.uses = {}  # program: cents that it gave
        self.birthdays = set()  # (program, year) of birthday rewards
        self.returned = [0] * len(self.lines)
        self.is_cancelled = False
        self.total = sum(self.nets)

    def counts_as_order(self):
        """Whether it was an order with goods bought, that was not undone."""
        return not self.is_cancelled and any(line.qty > 0 for line in self.lines)

    def of_program(self, program_id):
        """The money of the lines that sell cards of a program."""
        return [net if line.sells == program_id else 0 for line, net in zip(self.lines, self.nets)]

    def of_card(self, named):
        """The money of the lines that top a card up."""
        return [net if line.tops_up == named else 0 for line, net in zip(self.lines, self.nets)]

    def refunded(self, weights):
        """What was refunded so far, of `weights`."""
        parts = zip(weights, self.returned, self.lines)
        return sum(share_of(weight, units, line.qty) for weight, units, line in parts)

    def is_whole(self):
        """All of it came back."""
        return all(units == line.qty for units, line in zip(self.returned, self.lines) if line.qty > 0)

    def cover(self, returns):
        """Which units of which lines these return lines (of this order) take back: for each return line its parts
        [(line, units, cents, taxes)], and the units that are left over. First by line, or by product and unit price;
        what is left after that by product."""
        units_of, left = [{} for _ in returns], [-exact(returned["qty"]) for returned in returns]
        still = [line.qty - units for line, units in zip(self.lines, self.returned)]
        for by_price in (True, False):
            for n, returned in enumerate(returns):
                for i, line in enumerate(self.lines):
                    units = min(left[n], still[i])
                    if units > 0 and self.matches(returned, line, by_price):
                        left[n] -= units
                        still[i] -= units
                        units_of[n][i] = units_of[n].get(i, 0) + units
        return [[self.take_units(i, units) for i, units in sorted(taken.items())] for taken in units_of], left

    def take_units(self, i, units):
        """(line, units, cents, taxes) of units that come back."""
        line = self.lines[i]
        before, self.returned[i] = self.returned[i], self.returned[i] + units

        def part(amount):
            return share_of(amount, self.returned[i], line.qty) - share_of(amount, before, line.qty)

        return line, units, part(self.nets[i]), {id: part(half_away(amount)) for id, amount in self.taxes[i].items()}

    def exceeds(self, returns):
        """Whether a line that is named is to be returned more often than it was bought."""
        wanted = {}
        for returned in returns:
            line_id = line_named(returned)
            if line_id is not None:
                wanted[line_id] = wanted.get(line_id, 0) - exact(returned["qty"])
        left = {line.id: line.qty - self.returned[i] for i, line in enumerate(self.lines)}
        return any(units > left.get(line_id, 0) for line_id, units in wanted.items())

    @staticmethod
    def matches(returned, line, by_price):
        if line_named(returned) is not None:
            return line.id == line_named(returned)
        same_price = not by_price or line.price_unit == exact(returned["price_unit"])
        return line.product_id == returned["product_id"] and same_price


def line_named(returned):
    """The line that a return line names, or None."""
    of = returned.get("refund_of")
    return str(of["line_id"]) if isinstance(of, dict) and of.get("line_id") is not None else None


def original_of(line, order):
    """The id of the order that a return line takes back from, or None."""
    of = line.get("refund_of") or order.get("refund_of")
    return of["order_id"] if isinstance(of, dict) else of
