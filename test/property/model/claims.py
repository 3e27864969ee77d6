"""Claims: codes entered and rewards chosen, in order; what becomes of each (section 1, rule 28)."""

from .catalog import has_member_card, is_automatic, is_spent_by_card, rewards_of, same_code
from .figures import exact, minor


class Claims:
    """The part of an Evaluation that reads the claims: `claimed` (entries), `codes` (index, code), `shown` (cards),
    `named` (programs that a claim names), `turned_away` {index: reason}, `accepted` (nothing of its own to give) and `waits`
    {index: (program, reason)}: accepted if its program gives something in the end."""

    def read_claims(self):
        self.claimed, self.codes, self.rule_codes = [], [], []
        self.named, self.turned_away, self.accepted, self.waits = set(), {}, set(), {}
        self.shown = [self.card_named(card) for card in self.order.get("cards", [])]
        self.shown = [card for card in self.shown if card is not None]
        for index, claim in enumerate(self.order.get("claims", [])):
            if "program_id" in claim:
                self.named.add(claim["program_id"])
            if index in self.refused:
                if "code" in claim:
                    self.name_program_of(claim["code"])
                continue
            reason = self.read_code(index, claim["code"]) if "code" in claim else self.read_choice(index, claim)
            if reason is not None:
                self.turned_away[index] = reason

    def card_named(self, named):
        """A card by id or code."""
        if not isinstance(named, dict):
            named = {"card_id" if isinstance(named, int) else "code": named}
        for card in self.standing.cards:
            if "code" in named and card.code is not None and same_code(card.code, named["code"]):
                return card
            if "card_id" in named and card.card is not None and card.card.id == named["card_id"]:
                return card
        return None

    def name_program_of(self, code):
        found = self.catalog.program_of_code(code)
        if found is not None:
            self.named.add(found[0]["program_id"])

    # A code entered by hand

    def read_code(self, index, code):
        found = self.catalog.program_of_code(code)
        if found is not None:
            return self.read_rule_code(index, code, *found)
        card = self.card_named(code)
        program = None if card is None else self.catalog.programs.get(card.program_id)
        if program is None or has_member_card(program):
            return "unknown_code"
        self.named.add(card.program_id)
        if card.partner_id not in (None, self.partner):
            return "unknown_card"
        if card.is_blocked:
            return "card_blocked"
        if card.program_id in self.absent:
            return self.absent[card.program_id]
        least = min((minor(reward.get("required_points", 1)) for reward in rewards_of(program).values()), default=0)
        if card.usable < least:
            return "not_enough_points" if program["program_type"] == "gift_card" else "code_used"
        self.shown.append(card)
        return self.claim_by_code(index, program, card)

    def read_rule_code(self, index, code, program, rule):
        self.named.add(program["program_id"])
        if program["program_id"] in self.absent:
            return self.absent[program["program_id"]]
        codes = self.codes_until(index) + [code]
        reason = self.why_rule_fails(program, rule, [], codes)
        if reason is not None:
            return reason
        self.codes.append((index, code))
        self.rule_codes.append((index, program, rule))
        if not self.fits(program, [], codes):
            self.waits[index] = (program, "code_needed")
            return None
        if is_spent_by_card(program):
            self.accepted.add(index)  # it only earns
            return None
        if has_member_card(program) and not self.has_member:
            return "no_member"
        pocket = self.standing.member_card(program["program_id"], self.partner) if has_member_card(program) else None
        return self.claim_by_code(index, program, pocket)

    def claim_by_code(self, index, program, pocket):
        rewards = rewards_of(program)
        if len(rewards) != 1 or len(next(iter(rewards.values())).get("reward_product_ids", [])) > 1:
            self.accepted.add(index)
            return None
        entry = self.entry(program, *next(iter(rewards.items())), pocket, claim=index)
        if self.usable(entry, []) < entry.required and not self.is_card_code(index):
            self.waits[index] = (program, "not_enough_points")
            return None
        self.claimed.append(entry)
        return None

    def is_card_code(self, index):
        """A card that is empty is refused; a rule's code counts, whatever the points can pay for."""
        return self.catalog.program_of_code(self.order["claims"][index]["code"]) is None

    @staticmethod
    def entry(*arguments, **more):
        from .order import Entry

        return Entry(*arguments, **more)

    # A reward chosen

    def read_choice(self, index, claim):
        card = self.card_named(claim["card"]) if "card" in claim else None
        if "card" in claim and (card is None or card.partner_id not in (None, self.partner)):
            return "unknown_card"
        program = self.catalog.programs.get(claim.get("program_id", card.program_id if card else None))
        if program is None:
            return "unknown_program"
        id = program["program_id"]
        self.named.add(id)
        if card is not None and card.program_id != id:
            return "unknown_card"
        if id in self.absent:
            return self.absent[id]
        pocket, reason = self.pocket_of(program, card, index)
        if reason is not None:
            return reason
        rewards = rewards_of(program)
        if "reward_id" not in claim and len(rewards) > 1:
            return "ambiguous_reward"
        if not rewards or claim.get("reward_id", next(iter(rewards))) not in rewards:
            return "unknown_reward"
        reward_id = claim.get("reward_id", next(iter(rewards)))
        reward = rewards[reward_id]
        products = reward.get("reward_product_ids", [])
        if reward.get("reward_type") == "product":
            if "product_id" not in claim and len(products) > 1:
                return "ambiguous_reward"
            if claim.get("product_id", products[0] if products else None) not in products:
                return "unknown_reward"
        if card is not None and card not in self.shown:
            self.shown.append(card)
        self.claimed.append(
            self.entry(
                program,
                reward_id,
                reward,
                pocket,
                claim=index,
                points=minor(claim["points"]) if "points" in claim else None,
                product_id=claim.get("product_id"),
                qty=exact(claim["qty"]) if "qty" in claim else None,
            )
        )
        return None

    def pocket_of(self, program, card, index):
        """(the card that pays, why there is none)."""
        shown = [one for one in self.shown if one.program_id == program["program_id"]]
        if card is None and has_member_card(program) and self.has_member:
            card = self.standing.member_card(program["program_id"], self.partner)
        if card is None and shown:
            card = shown[0]
        if card is not None:
            return (None, "card_blocked") if card.is_blocked else (card, None)
        if has_member_card(program):
            return None, "no_member"
        if is_spent_by_card(program):
            return None, "unknown_card"
        if not is_automatic(program):
            rules = [rule for rule in program.get("rules", []) if rule.get("code")]
            if not any(same_code(rule["code"], code) for rule in rules for code in self.codes_until(index)):
                return None, "unknown_code"
        return None, None

    # What became of them

    def code_that_gave_nothing(self):
        """A refused entry leaves nothing behind, neither its code nor its card: the last one that is still entered."""
        given = [gift.entry.claim for gift in self.state.given]
        for n in reversed(range(len(self.entries))):
            index = self.entries[n].claim
            if index is None or index in given or not self.brings_something(index):
                continue
            answer = self.answer_of_entry(n)
            if not isinstance(answer, tuple):
                return index, answer
        return None

    def brings_something(self, index):
        claim = self.order["claims"][index]
        return "code" in claim or "card" in claim

    def answer_of_entry(self, n):
        """Of a claim that gave nothing: its reason, or ("replaced_by", a later claim)."""
        if n in self.lost:
            reason, winner = self.lost[n]
            by = self.entries[winner].claim
            is_beaten = reason in ("better_discount", "excluded_by_other") and by is not None
            return ("replaced_by", by) if is_beaten and by > self.entries[n].claim else reason
        return self.nothing.get(n, "nothing_to_discount")

    def brought_something(self, program):
        """Whether a program whose code waited gave or earned something in the end."""
        if any(gift.entry.program is program for gift in self.state.given):
            return True
        earns = has_member_card(program) and self.earning_card(program) is not None
        earned = self.earned(program, self.state.given, self.all_codes)
        return bool(earned and earns or self.cards_made(program, self.state.given, self.all_codes))

    def answer_claims(self):
        answers = []
        given = [gift.entry.claim for gift in self.state.given]
        places = {entry.claim: n for n, entry in enumerate(self.entries)}
        for index in range(len(self.order.get("claims", []))):
            if index in self.refused:
                answers.append(self.refused[index])
            elif index in self.turned_away:
                answers.append(self.turned_away[index])
            elif index in self.accepted or index in given:
                answers.append("ok")
            elif index in self.waits:
                program, reason = self.waits[index]
                answers.append("ok" if self.brought_something(program) else reason)
            else:
                answers.append(self.answer_of_entry(places[index]))
        return answers
