"""An order evaluated: its lines and their taxes, points, claims, rewards, totals.

The rules' numbers are those of docs/semantics.md. Whatever has to be taken out (a claim that does not hold at the end)
is taken out, and the order is worked again from the start.
"""

from dataclasses import dataclass

from .catalog import applies_by_itself, has_member_card, is_payment, is_spent_by_card, rewards_of
from .claims import Claims
from .figures import minor
from .lines import lines_of
from .points import LIMITS, Points
from .rewards import give, layer_of
from .standing import Pocket, Standing
from .state import State

LAYERS = ("price", "free", "discount", "payment")
PASSES = 32


@dataclass
class Entry:
    """A reward that wants to be given: by itself, or by a claim."""

    program: dict
    reward_id: int
    reward: dict
    pocket: Pocket = None  # the card that pays; None: the points of this order
    claim: int = None  # index in `claims`
    points: int = None  # at most, as the claim says
    product_id: int = None
    qty: object = None

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
        pays = self.layer == "payment" and self.mode == "per_point"  # costs what it pays
        return minor("0.01" if pays else self.reward.get("required_points", 1))

    @property
    def layer(self):
        return layer_of(self.program, self.reward)

    @property
    def kind(self):
        return self.reward.get("reward_type", "discount")

    def products(self):
        """The products that a free product may be."""
        return [self.product_id] if self.product_id is not None else self.reward.get("reward_product_ids", [])

    def is_order_wide(self):
        return self.layer == "discount" and self.kind != "point" and self.applicability == "order"

    def place(self):
        """Rule 24: priority, then what is automatic (specific before order-wide), then claims as given."""
        priority = self.program.get("priority", 0)
        if self.claim is not None:
            return (priority, 2, self.claim)
        return (priority, 1 if self.is_order_wide() else 0, self.program_id, self.reward_id)

    def groups(self):
        """Rule 25: the groups of which only the best stays."""
        if self.layer != "payment" and self.program.get("stacking") == "best_of":
            yield ("best_of", self.program["best_of"])
        if self.is_order_wide() and (self.kind == "multiple_discount" or self.mode in ("percent", "per_order")):
            yield ("order-wide",)


class Evaluation(Points, Claims):
    """An order worked through; `standing` is what it finds."""

    def __init__(self, catalog, order, instant, standing=None, covered=None):
        self.catalog, self.order, self.instant = catalog, order, instant
        self.standing = standing or Standing()
        self.channel = order.get("channel", "pos")
        self.is_global = order.get("tax_rounding") == "global"
        self.partner = order.get("partner_id")
        self.has_member = self.partner is not None
        self.level = self.standing.level if self.standing.level is not None else catalog.base_level()
        self.lines = lines_of(order, covered)
        for line in self.lines:
            line.sells = self.sold_by(line)
        self.refused = {}  # claim index, or (program, reward) of what applies by itself: why, for good
        while not self.work_all():
            pass
        self.answers = self.answer_claims()

    def sold_by(self, line):
        """Rule 13: the gift card or wallet program whose cards a line sells or tops up."""
        for id in sorted(self.catalog.programs):
            program = self.catalog.programs[id]
            if is_payment(program) and program.get("state", "active") == "active":
                if any(self.catalog.sells(program, rule, line) for rule in program.get("rules", [])):
                    return id
        return None

    # Who takes part, and what is asked for

    def why_not(self, program):
        """Rule 1, codes aside: None if a program may take part, else the reason."""
        reason = self.catalog.why_not_now(program, self.order, self.instant)
        level = program.get("membership_product_id")
        if reason is None and level is not None and (not self.has_member or level != self.level):
            reason = "wrong_membership"
        if reason is None and any(
            program.get(limit) and self.standing.used(program["program_id"], limit) >= program[limit]
            for limit in LIMITS
        ):
            reason = "limit_reached"
        budget = minor(program.get("budget", 0))
        if reason is None and budget and self.standing.given.get(program["program_id"], 0) >= budget:
            reason = "limit_reached"
        return reason

    def by_itself(self):
        if not self.order.get("auto_claim", True):
            return []
        return [
            Entry(program, *next(iter(rewards_of(program).items())))
            for id, program in self.catalog.programs.items()
            if id not in self.absent and id not in self.named and applies_by_itself(program)
        ]

    # Points that can be used (rule 7)

    def codes_until(self, claim):
        """The codes entered up to a claim's place (None: all)."""
        return [code for index, code in self.codes if claim is None or index <= claim]

    @property
    def all_codes(self):
        return self.codes_until(None)

    def earning_card(self, program):
        """The card that gets what an order earns in a program with cards: the member's, else the first one shown."""
        if not has_member_card(program):
            return None
        if self.has_member:
            card = self.standing.member_card(program["program_id"], self.partner)
        else:
            shown = [card for card in self.shown if card.program_id == program["program_id"]]
            card = shown[0] if shown else None
        return None if card is None or card.is_blocked else card

    def usable(self, entry, given, codes=None):
        """What an entry may use, without what was spent on this order. Debt is paid first (rule 33)."""
        codes = self.codes_until(entry.claim) if codes is None else codes
        program, pocket = entry.program, entry.pocket
        if pocket is None:
            return self.earned(program, given, codes)
        if program["program_type"] == "coupons" and not self.fits(program, given, codes):
            return 0
        usable = pocket.usable
        card = None if is_spent_by_card(program, codes) else self.earning_card(program)
        if card is not None and card.key() == pocket.key():
            earned = self.earned(program, given, codes)
            usable += max(0, earned - pocket.debt)
        return usable

    def spent(self, entry, given):
        return sum(gift.cost for gift in given if self.is_same_pocket(gift.entry, entry))

    @staticmethod
    def is_same_pocket(one, other):
        if one.program_id != other.program_id or (one.pocket is None) != (other.pocket is None):
            return False
        return one.pocket is None or one.pocket.key() == other.pocket.key()

    def why_no_points(self, entry, given):
        """The first condition that fails, of a program whose rules are asked; else it is points that are missing."""
        rules = entry.program.get("rules", [])
        fails = [self.why_rule_fails(entry.program, rule, given, self.codes_until(entry.claim)) for rule in rules]
        asks_rules = entry.pocket is None or entry.program["program_type"] == "coupons"
        return fails[0] if fails and all(fails) and asks_rules else "not_enough_points"

    # All of it (rules 24, 25)

    def work_all(self):
        """Works the order until all holds with what is refused; False if something had to be refused for good."""
        self.absent = {id: why for id, why in ((id, self.why_not(p)) for id, p in self.catalog.programs.items()) if why}
        self.read_claims()
        self.entries = sorted(self.by_itself() + self.claimed, key=Entry.place)
        self.entries = [entry for entry in self.entries if self.name_of(entry) not in self.refused]
        passed_over = set()
        for _ in range(PASSES):
            winners = self.work(passed_over)
            if not winners:
                break
            passed_over |= winners
        refused = self.last_that_fails()
        if refused is None:
            refused = self.code_that_gave_nothing()
        if refused is None:
            return True
        self.refused[refused[0]] = refused[1]
        return False

    @staticmethod
    def name_of(entry):
        return entry.claim if entry.claim is not None else (entry.program_id, entry.reward_id)

    def work(self, passed_over):
        """Works the layers; answers what was chosen from a group and gave nothing."""
        self.state, self.lost, self.nothing = State(self.lines, self.is_global), {}, {}
        empty = set()
        for layer in LAYERS:
            empty |= self.work_layer(layer, passed_over)
        return empty

    def work_layer(self, layer, passed_over):
        wanted = [n for n, entry in enumerate(self.entries) if entry.layer == layer and n not in passed_over]
        alone = self.exclusive(wanted) if layer != "payment" else None
        if alone is not None:
            self.lose([n for n in wanted if not self.same_program(n, alone)], alone, "excluded_by_other", self.state)
        decided, winners, empty = set(), set(), set()
        for n in wanted:
            for group in self.entries[n].groups():
                if n not in self.lost and group not in decided:
                    decided.add(group)
                    winners |= self.decide(group, [m for m in wanted if m >= n and m not in self.lost])
            if n in self.lost:
                continue
            reason = give(self, self.entries[n], self.state)
            if reason is not None:
                self.nothing[n] = reason
                if n in winners:
                    empty.add(n)
        return empty

    def same_program(self, n, m):
        return self.entries[n].program_id == self.entries[m].program_id

    def saved(self, entries, state):
        """The money that these save where a state is."""
        trial = state.copy()
        for n in entries:
            give(self, self.entries[n], trial)
        return state.costs - trial.costs

    def exclusive(self, wanted):
        """The first entry of an exclusive program that saves money when it has the layer to itself."""
        for n in wanted:
            if self.entries[n].program.get("stacking") == "exclusive" and self.saved([n], self.state) > 0:
                return n
        return None

    def decide(self, group, candidates):
        """Measures all of a group on what is left here; all but the best lose. Answers the best."""
        members = [n for n in candidates if group in self.entries[n].groups()]
        teams = {}
        for n in members:
            teams.setdefault(self.entries[n].program_id if group[0] == "best_of" else n, []).append(n)
        best, most = None, 0
        for team in teams.values():
            saved = self.saved(team, self.state)
            if saved > most:
                best, most = team, saved
        if best is None:
            return set()
        self.lose([n for n in members if n not in best], best[0], "better_discount", self.state)
        return set(best)

    def lose(self, losers, winner, reason, state):
        """Entries that another one keeps out; whoever could not have been paid for is refused for that."""
        for n in losers:
            own = give(self, self.entries[n], state.copy())
            self.lost[n] = (reason if own in (None, "nothing_to_discount") else own, winner)

    def last_that_fails(self):
        """Rule 24: everything taken off, does the program still hold, and do the points suffice? What clears a wallet
        costs what is usable then."""
        given, failing = self.state.given, None
        for count, gift in enumerate(given):
            entry = gift.entry
            usable = self.usable(entry, given) - self.spent(entry, given[:count])
            if entry.reward.get("clear_wallet"):
                gift.cost = max(usable, gift.least)
            if gift.cost > usable:
                failing = (self.name_of(entry), "not_enough_points")
        for index, program, rule in self.rule_codes:
            reason = self.why_rule_fails(program, rule, given, self.codes_until(index))
            if reason is not None and (failing is None or not isinstance(failing[0], int) or failing[0] < index):
                failing = (index, reason)
        return failing

    # The answer

    def card_points(self):
        """(earned, redeemed) by card that something moves on."""
        moved = {}
        for program in self.catalog.programs.values():
            card = self.earning_card(program)
            if card is not None and program["program_id"] not in self.absent:
                earned = self.earned(program, self.state.given, self.all_codes)
                if earned:
                    moved[card.key()] = (earned, 0)
        for line in self.lines:
            card = self.card_named(line.tops_up) if line.tops_up is not None else None
            if card is not None:
                earned, redeemed = moved.get(card.key(), (0, 0))
                moved[card.key()] = (earned + line.total, redeemed)
        for gift in self.state.given:
            pocket = gift.entry.pocket
            if pocket is not None:
                earned, redeemed = moved.get(pocket.key(), (0, 0))
                moved[pocket.key()] = (earned + gift.points, redeemed + gift.cost)
        return {key: figures for key, figures in moved.items() if figures != (0, 0)}

    def pockets(self):
        """The cards on which something may move."""
        cards = [self.earning_card(program) for program in self.catalog.programs.values()]
        cards += [gift.entry.pocket for gift in self.state.given]
        cards += [self.card_named(line.tops_up) for line in self.lines if line.tops_up is not None]
        return [card for card in cards if card is not None]

    def cards_to_make(self):
        """(program, points, code, line that sold it) of each card that the order makes."""
        return [
            (id, *card)
            for id, program in sorted(self.catalog.programs.items())
            for card in self.cards_made(program, self.state.given, self.all_codes)
        ]

    def line_discount(self, i):
        return sum(gift.parts.get(i, 0) for gift in self.state.given)
