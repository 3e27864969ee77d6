"""An order evaluated: its lines and their taxes, points, claims, discounts, totals.

The rules' numbers are those of docs/semantics.md. Whatever has to be taken out (a claim that does not hold at the end,
a winner that gives nothing) is taken out, and the order is worked again from the start.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from .catalog import (
    REWARD_FIELDS,
    RULE_FIELDS,
    applies_by_itself,
    has_cards,
    names_nothing,
    rewards_of,
)
from .figures import down, exact, half_away, minor, share
from .taxes import group_of, rounded_taxes_of_line, tax_of, taxes_of_line, taxes_within


class Line:
    """A line as given, in cents: its price, its taxes, and what can be taken off it."""

    def __init__(self, fields, index):
        self.id = str(fields.get("line_id", index))
        self.product_id = fields["product_id"]
        self.qty = exact(fields["qty"])
        self.price_unit = exact(fields["price_unit"])
        self.fields = fields
        self.taxes = [tax_of(tax) for tax in fields.get("taxes", [])]
        self.by_hand = exact(fields.get("discount", 0))
        self.price = half_away(self.price_unit * self.qty * (100 - self.by_hand))
        self.exact_taxes = taxes_of_line(self.price, self.qty, self.taxes)
        self.rounded_taxes = rounded_taxes_of_line(self.price, self.qty, self.taxes)

    def settle(self):
        """Totals, once the taxes are rounded."""
        pairs = list(zip(self.taxes, self.rounded_taxes))
        self.total = self.price + sum(amount for tax, amount in pairs if not tax.included)
        self.untaxed = self.total - sum(self.rounded_taxes)
        fixed = sum(amount for tax, amount in pairs if tax.amount_type == "fixed")
        self.discountable = self.total - fixed if self.price else 0

    def list_total(self):
        """What it costs without the discount given by hand."""
        line = Line({name: value for name, value in self.fields.items() if name != "discount"}, 0)
        line.settle()
        return line.total


def round_globally(lines):
    """`global`: each tax once for the order; the cents of it are spread over the lines by the largest remainder."""
    for tax_id in {tax.id for line in lines for tax in line.taxes}:
        places = [(line, i) for line in lines for i, tax in enumerate(line.taxes) if tax.id == tax_id]
        exacts = [line.exact_taxes[i] for line, i in places]
        rounded = [down(amount) for amount in exacts]
        missing = half_away(sum(exacts)) - sum(rounded)
        sign = 1 if missing > 0 else -1
        for at in sorted(range(len(exacts)), key=lambda n: (sign * (rounded[n] - exacts[n]), n))[: abs(missing)]:
            rounded[at] += sign
        for (line, i), amount in zip(places, rounded):
            line.rounded_taxes[i] = amount


@dataclass
class Entry:
    """A reward that wants to be given: by itself, or by a claim."""

    program: dict
    reward_id: int
    reward: dict
    claim: int = None  # index in `claims`
    points: int = None  # at most, as the claim says

    @property
    def program_id(self):
        return self.program["program_id"]

    @property
    def applicability(self):
        return self.reward.get("discount_applicability", "order")

    @property
    def mode(self):
        return self.reward.get("discount_mode", "percent")

    @property
    def required(self):
        return minor(self.reward.get("required_points", 1))

    def place(self):
        """Rule 24: priority, then what is automatic (specific before order-wide), then claims as given."""
        priority = self.program.get("priority", 0)
        if self.claim is not None:
            return (priority, 2, self.claim)
        return (priority, 0 if self.applicability == "specific" else 1, self.program_id, self.reward_id)

    def groups(self):
        """Rule 25: the groups of which only the best stays."""
        if self.program.get("stacking") == "best_of":
            yield ("best_of", self.program["best_of"])
        if self.applicability == "order" and self.mode in ("percent", "per_order"):
            yield ("order-wide",)


@dataclass
class Discount:
    entry: Entry
    amount: int
    cost: int
    parts: dict  # line index: cents
    taxes: dict  # tax id: cents


@dataclass
class State:
    """What is left of each line, and what was given so far."""

    left: list
    taxes_left: list
    costs: int
    discounts: list = field(default_factory=list)
    members_taken: set = field(default_factory=set)  # the sets of lines that discounts took from together

    def copy(self):
        taxes_left = [list(taxes) for taxes in self.taxes_left]
        return State(list(self.left), taxes_left, self.costs, list(self.discounts), set(self.members_taken))


class Evaluation:
    """An order worked through. `balances`, `debts`: of the member's cards by program, at that instant."""

    def __init__(self, catalog, order, instant, balances=None, debts=None):
        self.catalog, self.order, self.instant = catalog, order, instant
        self.balances, self.debts = balances or {}, debts or {}
        self.channel = order.get("channel", "pos")
        self.is_global = order.get("tax_rounding") == "global"
        self.has_member = order.get("partner_id") is not None
        self.lines = [Line(fields, i) for i, fields in enumerate(order["lines"])]
        if self.is_global:
            round_globally(self.lines)
        for line in self.lines:
            line.settle()
        self.answers = [None] * len(order.get("claims", []))
        self.absent = {id: why for id, why in self.asked().items() if why is not None}
        self.entries = sorted(self.by_itself() + self.claimed(), key=Entry.place)
        self.refused = {}  # position in entries: reason
        self.work_until_all_hold()
        self.answer_claims()

    # Who takes part, and what is asked for

    def asked(self):
        """Rule 1: why each program does not take part; None if it does."""
        return {
            id: self.catalog.why_not(program, self.order, self.instant) for id, program in self.catalog.programs.items()
        }

    def by_itself(self):
        if not self.order.get("auto_claim", True):
            return []
        named = {claim.get("program_id") for claim in self.order.get("claims", [])}
        return [
            Entry(program, *next(iter(rewards_of(program).items())))
            for id, program in self.catalog.programs.items()
            if id not in self.absent and id not in named and applies_by_itself(program)
        ]

    def claimed(self):
        entries = []
        for index, claim in enumerate(self.order.get("claims", [])):
            program = self.catalog.programs.get(claim["program_id"])
            reason = self.why_not_claimed(program, claim)
            if reason is not None:
                self.answers[index] = reason
                continue
            rewards = rewards_of(program)
            reward_id = claim.get("reward_id", next(iter(rewards)))
            points = minor(claim["points"]) if "points" in claim else None
            entries.append(Entry(program, reward_id, rewards[reward_id], index, points))
        return entries

    def why_not_claimed(self, program, claim):
        if program is None:
            return "unknown_program"
        if program["program_id"] in self.absent:
            return self.absent[program["program_id"]]
        rewards = rewards_of(program)
        if "reward_id" not in claim and len(rewards) > 1:
            return "ambiguous_reward"
        if not rewards or claim.get("reward_id", next(iter(rewards), None)) not in rewards:
            return "unknown_reward"
        if has_cards(program) and not self.has_member:
            return "no_member"
        return None

    def below_nothing(self):
        """Finding 1: a rule without a minimum, of whose products more is returned than bought."""
        return any(
            sum(self.lines[i].qty for i in self.matching(rule)) < 0
            or sum(self.lines[i].total for i in self.matching(rule)) < 0
            or sum(self.lines[i].untaxed for i in self.matching(rule)) < 0
            for program in self.catalog.programs.values()
            for rule in program.get("rules", [])
        )

    # Points (rules 2 to 7)

    def matching(self, rule):
        return [i for i, line in enumerate(self.lines) if self.catalog.fits(RULE_FIELDS, rule, line.product_id)]

    def why_rule_fails(self, rule):
        """Rules 2, 3: None if the rule holds. Only discounts of programs entered by code lower its money, and none is."""
        fitting = self.matching(rule)
        untaxed = rule.get("minimum_amount_tax_mode", "incl") == "excl"
        units = sum(self.lines[i].qty for i in fitting)
        money = sum(self.lines[i].untaxed if untaxed else self.lines[i].total for i in fitting)
        if not any(self.lines[i].qty > 0 for i in fitting):
            return "no_matching_product"
        if units < exact(rule.get("minimum_qty", 0)):
            return "minimum_qty"
        if money < minor(rule.get("minimum_amount", 0)):
            return "minimum_amount"
        return None

    def money_paid(self, program, rule, discounts):
        """Rule 4, tax included, in cents."""
        fitting = self.matching(rule)
        money = sum(self.lines[i].total for i in fitting)
        for discount in discounts:
            other = discount.entry.program
            own = other["program_id"] == program["program_id"]
            if self.channel == "sale":
                own = other["program_type"] == program["program_type"]
            if own and program.get("earn_on", "gross") == "gross":
                continue
            if discount.entry.applicability == "order" and not names_nothing(RULE_FIELDS, rule):
                continue
            money -= sum(discount.parts.get(i, 0) for i in fitting)
        return money

    def earned(self, program, discounts):
        """Points of this order, in hundredths."""
        points = 0
        for rule in program.get("rules", []):
            if self.why_rule_fails(rule) is not None:
                continue
            amount, mode = exact(rule.get("reward_point_amount", 1)), rule.get("reward_point_mode", "order")
            if mode == "money":
                gained = amount * self.money_paid(program, rule, discounts)
            elif mode == "unit":
                gained = amount * 100 * sum(self.lines[i].qty for i in self.matching(rule))
            else:
                gained = amount * 100
            points += max(0, down(gained) if self.channel == "sale" else half_away(gained))
        return points

    def usable(self, program, discounts):
        """Rule 7, without what was spent. What is earned pays the card's debt first (rule 33)."""
        earned = self.earned(program, discounts)
        if not has_cards(program):
            return earned
        paid = min(earned, self.debts.get(program["program_id"], 0))
        return self.balances.get(program["program_id"], 0) + earned - paid

    def spent(self, program, discounts):
        return sum(d.cost for d in discounts if d.entry.program_id == program["program_id"])

    # One reward (rules 9 to 12)

    def fresh(self):
        return State(
            [line.discountable for line in self.lines],
            [list(line.exact_taxes if self.is_global else line.rounded_taxes) for line in self.lines],
            sum(line.total for line in self.lines),
        )

    def base_lines(self, entry):
        if entry.applicability == "order":
            return list(range(len(self.lines)))
        return [
            i for i, line in enumerate(self.lines) if self.catalog.fits(REWARD_FIELDS, entry.reward, line.product_id)
        ]

    def give(self, entry, state):
        """Gives a reward on what is left: None, or the reason why nothing was given."""
        usable = self.usable(entry.program, state.discounts) - self.spent(entry.program, state.discounts)
        if usable < entry.required:
            fails = [self.why_rule_fails(rule) for rule in entry.program.get("rules", [])]
            return fails[0] if fails and all(fails) and not has_cards(entry.program) else "not_enough_points"
        clears = entry.reward.get("clear_wallet", False)
        rate = exact(entry.reward["discount"])
        lines = self.base_lines(entry)
        base = sum(state.left[i] for i in lines)
        cost = usable if clears else entry.required
        if entry.mode == "percent":
            of = base
            if entry.program.get("discount_base") == "initial":
                of = sum(self.lines[i].discountable for i in lines)
            amount = half_away(of * rate / 100)
        elif entry.mode == "per_order":
            amount = half_away(rate * 100)
        else:
            points = usable - usable % entry.required
            if entry.points is not None and not clears:
                points = min(points, entry.points)
            amount = down(points * rate)
        cap = minor(entry.reward.get("discount_max_amount", 0))
        amount = min(amount, base, state.costs, cap or amount)
        if amount <= 0:
            return "nothing_to_discount"
        if entry.mode == "per_point" and not clears:
            cost = half_away(Fraction(amount) / rate)
        parts, taxes = self.take(amount, lines, state)
        state.costs -= amount
        state.discounts.append(Discount(entry, amount, cost, parts, taxes))
        return None

    def take(self, amount, lines, state):
        """Rule 12: takes an amount from what is left of lines, and its taxes from theirs."""
        groups = {}
        for i in lines:
            groups.setdefault(group_of(self.lines[i].taxes), []).append(i)
        weights = [max(0, sum(state.left[i] for i in members)) for members in groups.values()]
        parts, taxes = {}, {}
        for (group, members), part in zip(groups.items(), share(amount, weights)):
            if part == 0:
                continue
            positive = [i for i in members if state.left[i] > 0]
            shares = share(part, [state.left[i] for i in positive])
            self.take_taxes(group, members, dict(zip(positive, shares)), state, taxes)
            state.members_taken.add(frozenset(members))
            for i, taken in zip(positive, shares):
                state.left[i] -= taken
                if taken:
                    parts[i] = taken
        return parts, taxes

    def take_taxes(self, group, members, shares, state, taxes):
        """The taxes of a group's part: as from a price that includes them, within what is left of them."""
        part = sum(shares.values())
        left = sum(state.left[i] for i in members)
        places = {tax.id: {i: self.lines[i].taxes.index(tax) for i in members} for tax in group}
        tax_left = [sum(state.taxes_left[i][at] for i, at in places[tax.id].items()) for tax in group]
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
                state.taxes_left[i][places[tax.id][i]] -= amount

    def spread(self, take, shares, part):
        """A part's tax over the part's lines."""
        if self.is_global:
            return {i: take * amount / part for i, amount in shares.items()}
        return dict(zip(shares, share(take, list(shares.values()))))

    # All of them (rules 24, 25)

    def work_until_all_hold(self):
        while True:
            unfit = self.work()
            if unfit is None:
                return
            position, reason = unfit
            self.refused[position] = reason

    def work(self):
        """Works the order: None when all holds, else (position, reason) of an entry that has to be taken out."""
        self.state, self.lost, self.nothing = self.fresh(), {}, {}
        wanted = [n for n in range(len(self.entries)) if n not in self.refused]
        alone = self.exclusive(wanted)
        if alone is not None:
            self.lose([n for n in wanted if not self.same_program(n, alone)], alone, "excluded_by_other", self.fresh())
        decided = set()
        for n in wanted:
            for group in self.entries[n].groups():
                if n not in self.lost and group not in decided:
                    decided.add(group)
                    self.decide(group, [m for m in wanted if m >= n and m not in self.lost])
            if n in self.lost:
                continue
            reason = self.give(self.entries[n], self.state)
            if reason is not None:
                if list(self.entries[n].groups()):
                    return n, reason
                self.nothing[n] = reason
        return self.last_that_fails()

    def same_program(self, n, m):
        return self.entries[n].program_id == self.entries[m].program_id

    def exclusive(self, wanted):
        """The first entry of an exclusive program that saves money when it has the layer to itself."""
        for n in wanted:
            if self.entries[n].program.get("stacking") == "exclusive":
                if self.give(self.entries[n], self.fresh()) is None:
                    return n
        return None

    def decide(self, group, candidates):
        """Measures all of a group on what is left here; all but the best lose."""
        members = [n for n in candidates if group in self.entries[n].groups()]
        teams = {}
        for n in members:
            teams.setdefault(self.entries[n].program_id if group[0] == "best_of" else n, []).append(n)
        best, most = None, 0
        for team in teams.values():
            trial = self.state.copy()
            for n in team:
                self.give(self.entries[n], trial)
            saved = self.state.costs - trial.costs
            if saved > most:
                best, most = team, saved
        if best is not None:
            self.lose([n for n in members if n not in best], best[0], "better_discount", self.state)

    def lose(self, losers, winner, reason, state):
        """Entries that another one keeps out; whoever could not have been paid for is refused for that."""
        for n in losers:
            own = self.give(self.entries[n], state.copy())
            self.lost[n] = (reason if own in (None, "nothing_to_discount") else own, winner)

    def last_that_fails(self):
        """Rule 24: everything taken off, do the points still suffice? What clears a wallet costs what is usable then."""
        discounts, failing = self.state.discounts, None
        for count, discount in enumerate(discounts):
            program = discount.entry.program
            usable = self.usable(program, discounts) - self.spent(program, discounts[:count])
            if discount.entry.reward.get("clear_wallet"):
                discount.cost = max(usable, discount.entry.required)
            if discount.cost > usable:
                failing = discount.entry
        return None if failing is None else (self.entries.index(failing), "not_enough_points")

    # The answer

    def answer_claims(self):
        given = [discount.entry for discount in self.state.discounts]
        for n, entry in enumerate(self.entries):
            if entry.claim is None:
                continue
            if any(entry is one for one in given):
                self.answers[entry.claim] = "ok"
            elif n in self.lost:
                reason, winner = self.lost[n]
                by = self.entries[winner].claim
                is_beaten = reason in ("better_discount", "excluded_by_other") and by is not None and by > entry.claim
                self.answers[entry.claim] = ("replaced_by", by) if is_beaten else reason
            else:
                self.answers[entry.claim] = self.refused.get(n) or self.nothing[n]

    def taxes(self):
        """Taxes of the order by id."""
        totals = {}
        for line, left in zip(self.lines, self.state.taxes_left):
            for tax, amount in zip(line.taxes, left):
                totals[tax.id] = totals.get(tax.id, 0) + amount
        return {id: half_away(amount) for id, amount in totals.items()}

    def points(self):
        """Earned, redeemed and the balance after it, by program."""
        result = {}
        for id, program in self.catalog.programs.items():
            if not has_cards(program) or not self.has_member or id in self.absent:
                continue
            earned, spent = self.earned(program, self.state.discounts), self.spent(program, self.state.discounts)
            if earned or spent:  # what did not move is not compared
                result[id] = (earned, spent, self.usable(program, self.state.discounts) - spent)
        return result

    def taxes_are_certain(self):
        """No rule says how the tax of a part spreads over its lines. So where one discount took from some lines and
        another from only some of these, the second one's tax may differ by a cent."""
        sets = self.state.members_taken
        return all(one is other or not one & other for one in sets for other in sets)

    def line_discount(self, i):
        return sum(discount.parts.get(i, 0) for discount in self.state.discounts)
