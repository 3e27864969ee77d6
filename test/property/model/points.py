"""Which rules hold, and the points that an order earns (rules 2 to 8)."""

import datetime
import math

from .catalog import RULE_FIELDS, conditions_of, is_automatic, is_code_entered, makes_cards, names_nothing, same_code
from .figures import down, exact, half_away, minor, share

LIMITS = (
    "max_usage", "max_usage_per_customer", "max_usage_per_store", "max_usage_per_day", "max_usage_per_week",
    "max_usage_per_month", "max_usage_per_year",
)  # fmt: skip


class Points:
    """The part of an Evaluation that asks rules. `given` are always the rewards given so far, `codes` those entered."""

    def matching(self, program, rule):
        """The lines that a rule is about. Sold cards earn nothing but in the program that sells them; what comes back of a
        known order takes its points back by itself (rule 33)."""
        return [
            i
            for i, line in enumerate(self.lines)
            if not line.is_covered and line.tops_up is None and line.sells in (None, program["program_id"]) and self.catalog.rule_fits(program, rule, line.product_id)
        ]

    def why_rule_fails(self, program, rule, given, codes):
        """Rules 2, 3: None if the rule holds."""
        if rule.get("code") and not any(same_code(rule["code"], code) for code in codes):
            return "unknown_code"
        if rule.get("membership_product_ids") and self.level not in rule["membership_product_ids"]:
            return "wrong_membership"
        if rule.get("first_order") and not (self.has_member and self.standing.is_first_order):
            return "not_first_order"
        if rule.get("birthday") is not None and not self.is_birthday(program, rule["birthday"]):
            return "not_birthday"
        fitting = self.matching(program, rule)
        if not any(self.lines[i].qty > 0 for i in fitting):
            return "no_matching_product"
        units = sum(self.lines[i].qty for i in fitting)
        if units < exact(rule.get("minimum_qty", 0)):
            return "minimum_qty"
        untaxed = rule.get("minimum_amount_tax_mode", "incl") == "excl"
        money = sum(self.lines[i].untaxed if untaxed else self.lines[i].total for i in fitting)
        if names_nothing(RULE_FIELDS, rule):
            for gift in given:
                other = gift.entry.program
                if gift.layer != "payment" and not is_automatic(other) and other is not program:
                    money -= gift.amount - (sum(gift.taxes.values()) if untaxed else 0)
        if money < minor(rule.get("minimum_amount", 0)):
            return "minimum_amount"
        return None

    def is_birthday(self, program, window):
        """Rule 30: from so many days before to so many days after, once a calendar year."""
        year = self.birthday_year(window)
        return year is not None and (program["program_id"], year) not in self.standing.birthdays_used

    def birthdays_of(self, program):
        """The years of the birthdays that a program's rules are about here."""
        windows = [rule["birthday"] for rule in program.get("rules", []) if rule.get("birthday") is not None]
        return {self.birthday_year(window) for window in windows} - {None}

    def birthday_year(self, window):
        """The year of the birthday that is near, or None."""
        birthday, today = self.standing.birthday, self.instant.date()
        if birthday is None:
            return None
        for year in (today.year - 1, today.year, today.year + 1):
            try:
                day = birthday.replace(year=year)
            except ValueError:  # 29 February
                day = datetime.date(year, 2, 28)
            first = day - datetime.timedelta(days=window.get("days_before", 0))
            last = day + datetime.timedelta(days=window.get("days_after", 0))
            if first <= today <= last:
                return year
        return None

    def holding(self, program, given, codes):
        """The rules that hold; of a program with a code all of them have to at a till, one in a sale (rule 2)."""
        rules = program.get("rules", [])
        if not self.is_open(program, codes):
            return []
        if program["program_type"] == "coupons":
            rules = conditions_of(program, codes)
        holding = [rule for rule in rules if self.why_rule_fails(program, rule, given, codes) is None]
        if not is_automatic(program) and self.channel == "pos" and len(holding) < len(rules):
            return []
        return holding

    def is_open(self, program, codes):
        """Rule 1: it is automatic, or one of its codes was entered. The code of a coupon is that of a card."""
        if program["program_type"] == "referral":
            return self.referral is not None and self.referral[1] is program
        if is_automatic(program) or program["program_type"] == "coupons":
            return True
        return is_code_entered(program, codes)

    def fits(self, program, given, codes):
        """Whether a program's conditions hold (rule 5): one without rules is always eligible."""
        if not program.get("rules") or (program["program_type"] == "coupons" and not conditions_of(program, codes)):
            return self.is_open(program, codes)
        return bool(self.holding(program, given, codes))

    def paid_units(self, indexes, given):
        """Units that earn: those given free earn nothing."""
        return sum(self.lines[i].qty - sum(gift.free.get(i, 0) for gift in given) for i in indexes)

    def money_paid(self, program, rule, given):
        """Rule 4, tax included, in cents."""
        money = sum(self.money_of_line(program, rule, given, i) for i in self.matching(program, rule))
        payments = sum(gift.amount for gift in given if gift.layer == "payment")
        if program.get("earn_on", "gross") == "net" and names_nothing(RULE_FIELDS, rule):
            money -= payments
        return money

    def money_of_line(self, program, rule, given, i):
        """The same of a line; payments are of the order."""
        money, is_net = self.lines[i].total, program.get("earn_on", "gross") == "net"
        for gift in given:
            other = gift.entry.program
            own = other["program_id"] == program["program_id"]
            if self.channel == "sale":
                own = other["program_type"] == program["program_type"]
            counts = (is_net or not own) and (names_nothing(RULE_FIELDS, rule) or not gift.entry.is_order_wide())
            if gift.layer != "payment" and (gift.layer == "free" or counts):
                money -= gift.parts.get(i, 0)
        return money

    def earned(self, program, given, codes):
        """Points of this order, in hundredths. A program of type coupons earns nothing (rule 5), but by a rule's code."""
        if (program["program_type"] == "coupons" and not is_code_entered(program, codes)) or program["program_id"] in self.absent or not self.may_earn(program):
            return 0
        return sum(self.points_of_rule(program, rule, given) for rule in self.holding(program, given, codes))

    def points_of_rule(self, program, rule, given):
        amount, mode = exact(rule.get("reward_point_amount", 1)), rule.get("reward_point_mode", "order")
        if mode == "money":
            gained = amount * self.money_paid(program, rule, given)
        elif mode == "unit":
            gained = amount * 100 * self.paid_units(self.matching(program, rule), given)
        else:
            gained = amount * 100
        return max(0, self.round_points(gained * self.multiplier(program)))

    def round_points(self, points):
        return down(points) if self.channel == "sale" else half_away(points)

    def may_earn(self, program):
        """Rule 8: of loyalty programs only the primary one of the member's level, where there is one."""
        if program["program_type"] != "loyalty" or not self.has_member:
            return True
        primary = self.catalog.primary_of(self.level)
        return primary is None or primary is program

    def multiplier(self, program):
        """A level's multiplier applies to its primary program."""
        if self.has_member and program is self.catalog.primary_of(self.level):
            return exact(self.catalog.levels[self.level].get("earn_multiplier", 1))
        return 1

    def points_of_a_unit(self, entry):
        """What a unit of a free product itself earns in its program (rule 14)."""
        program, products = entry.program, entry.products()
        if program["program_type"] == "coupons":
            return 0
        return sum(
            exact(rule.get("reward_point_amount", 1)) * 100
            for rule in self.holding(program, [], self.codes_until(entry.claim))
            if rule.get("reward_point_mode", "order") == "unit"
            and products
            and all(self.catalog.rule_fits(program, rule, id) for id in products)
        )

    def cards_made(self, program, given, codes):
        """Rule 6: of each new card of a `future` program (points, printed code, the line that sold it)."""
        by_card = program["program_type"] == "coupons" and not is_code_entered(program, codes)
        if not makes_cards(program) or by_card or program["program_id"] in self.absent:
            return []
        whole, split = 0, []
        for rule in self.holding(program, given, codes):
            mode = rule.get("reward_point_mode", "order")
            if rule.get("reward_point_split") and mode in ("unit", "money"):
                split += self.split(program, rule, given, mode)
            else:
                whole += self.points_of_rule(program, rule, given)
        return ([(whole, None, None)] if whole else []) + [card for card in split if card[0]]

    def split(self, program, rule, given, mode):
        """A card for each whole unit: with the points of a unit, or those of its money; together never more than the rule
        gives."""
        amount, cards, left = exact(rule.get("reward_point_amount", 1)), [], self.points_of_rule(program, rule, given)
        fitting = self.matching(program, rule)
        if mode == "unit":
            units = math.floor(max(0, self.paid_units(fitting, given)))
            shares = [(amount * 100, units, None)]
        else:
            shares = []
            for i in fitting:
                units = self.paid_units([i], given)
                if self.lines[i].qty > 0 and units >= 1:
                    shares.append((amount * self.money_of_line(program, rule, given, i) / units, math.floor(units), self.lines[i]))
        for points, units, line in shares:
            sold = line is not None and line.sells == program["program_id"]
            parts = share(line.total, [1] * units) if sold else [self.round_points(points)] * units
            for part in parts:
                part = min(left, part)
                left -= part
                cards.append((part, line.fields.get("gift_code") if sold else None, line.id if sold else None))
        return cards
