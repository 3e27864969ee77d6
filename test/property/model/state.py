"""What is left of an order while rewards take from it, and how a discount is taken (rule 12)."""

from dataclasses import dataclass, field

from .figures import half_away, share
from .taxes import group_of, taxes_within


@dataclass
class Given:
    """A reward that was given, and what it took."""

    entry: object
    layer: str
    amount: int = 0
    cost: int = None  # hundredths of a point
    least: int = 0  # what it costs at least, where it clears the wallet
    parts: dict = field(default_factory=dict)  # line index: cents
    taxes: dict = field(default_factory=dict)  # tax id: cents
    free: dict = field(default_factory=dict)  # line index: units given free
    added: int = 0  # units of a product that are added to the order (sale)
    points: int = 0  # points it adds (rule 18)
    steps: list = field(default_factory=list)  # multiple_discount: each step as one of these


    def add(self, step):
        """Counts a step in."""
        self.amount += step.amount
        for mine, its in ((self.parts, step.parts), (self.taxes, step.taxes)):
            for key, amount in its.items():
                mine[key] = mine.get(key, 0) + amount


class State:
    """What is left of each line (cents that can be discounted), its taxes, its units that are not free."""

    def __init__(self, lines, is_global):
        self.lines, self.is_global = lines, is_global
        self.left = [line.discountable for line in lines]
        self.taxes_left = [list(line.exact_taxes if is_global else line.rounded_taxes) for line in lines]
        self.paid_units = [line.qty for line in lines]
        self.set_units = {}  # by line: those that are in a set
        self.costs = sum(line.total for line in lines)
        self.given = []
        self.members_taken = set()  # the sets of lines that discounts took from together

    def copy(self):
        other = State.__new__(State)
        other.__dict__.update(self.__dict__)
        other.left, other.paid_units, other.given = list(self.left), list(self.paid_units), list(self.given)
        other.taxes_left = [list(taxes) for taxes in self.taxes_left]
        other.set_units = dict(self.set_units)
        other.members_taken = set(self.members_taken)
        return other

    def groups(self, indexes):
        """The lines by tax group, in the order of their first line."""
        groups = {}
        for i in indexes:
            groups.setdefault(group_of(self.lines[i].taxes), []).append(i)
        return groups

    def take(self, amount, indexes, gift, worth=None):
        """Takes an amount from what is left of these lines (or what some of their units are worth): over tax groups, then
        over the lines of each."""
        groups, worth = self.groups(indexes), worth or self.left
        weights = [max(0, sum(worth[i] for i in members)) for members in groups.values()]
        for (group, members), part in zip(groups.items(), share(amount, weights)):
            positive = [i for i in members if worth[i] > 0]
            if part:
                shares = share(part, [worth[i] for i in positive])
                self.take_group(group, members, dict(zip(positive, shares)), gift)
        gift.amount += amount
        self.costs -= amount

    def take_parts(self, parts, gift):
        """Takes so much from each of these lines."""
        for group, members in self.groups(sorted(parts)).items():
            self.take_group(group, members, {i: parts[i] for i in members}, gift)
        gift.amount += sum(parts.values())
        self.costs -= sum(parts.values())

    def take_group(self, group, members, shares, gift):
        self.take_taxes(group, members, shares, gift.taxes)
        self.members_taken.add(frozenset(members))
        for i, taken in shares.items():
            self.left[i] -= taken
            if taken:
                gift.parts[i] = gift.parts.get(i, 0) + taken

    def take_taxes(self, group, members, shares, taxes):
        """The taxes of a group's part: as from a price that includes them, within what is left of them."""
        part = sum(shares.values())
        left = sum(self.left[i] for i in members)
        places = {tax.id: {i: self.lines[i].taxes.index(tax) for i in members} for tax in group}
        tax_left = [sum(self.taxes_left[i][at] for i, at in places[tax.id].items()) for tax in group]
        if part == left:
            takes = tax_left
        else:
            takes = taxes_within(part, group)
            if not self.is_global:
                takes = [half_away(take) for take in takes]
            takes = [max(0, min(take, most)) for take, most in zip(takes, tax_left)]
            short = sum(tax_left) - sum(takes) - (left - part)
            for n, most in enumerate(tax_left):
                if short > 0:
                    more = min(short, most - takes[n])
                    takes[n] += more
                    short -= more
        for tax, take in zip(group, takes):
            taxes[tax.id] = taxes.get(tax.id, 0) + take
            for i, amount in self.spread(take, shares, part).items():
                self.taxes_left[i][places[tax.id][i]] -= amount

    def spread(self, take, shares, part):
        """A part's tax over the part's lines."""
        if self.is_global:
            return {i: take * amount / part for i, amount in shares.items()}
        return dict(zip(shares, share(take, list(shares.values()))))

    def untaxed(self, gift):
        return gift.amount - sum(gift.taxes.values())

    def taxes(self):
        """Taxes of the order by id."""
        totals = {}
        for line, left in zip(self.lines, self.taxes_left):
            for tax, amount in zip(line.taxes, left):
                totals[tax.id] = totals.get(tax.id, 0) + amount
        return {id: half_away(amount) for id, amount in totals.items()}

    def taxes_are_certain(self):
        """No rule says how the tax of a part spreads over its lines. So where one discount took from some lines and
        another from only some of these, the second one's tax may differ by a cent."""
        sets = self.members_taken
        return all(one is other or not one & other for one in sets for other in sets)
