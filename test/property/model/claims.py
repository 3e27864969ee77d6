"""Claims: codes entered and rewards chosen, in order; what becomes of each (section 1, rule 28)."""

from .catalog import conditions_of, has_member_card, is_automatic, is_spent_by_card, rewards_of, same_code
from .figures import exact, minor


class Claims:
    """The part of an Evaluation that reads the claims: `claimed` (entries), `codes` (index, code), `shown` (cards),
    `named` (programs that a claim names), `turned_away` {index: reason}, `accepted` (nothing of its own to give) and `waits`
    {index: (program, reason)}: accepted if its program gives something in the end."""

    def read_claims(self):
        self.claimed, self.codes, self.rule_codes, self.referral = [], [], [], None
        self.named, self.turned_away, self.accepted, self.waits = set(), {}, set(), {}
        self.shown = [self.card_named(card) for card in self.order.get("cards", [])]
        self.shown = [card for card in self.shown if card is not None]
        claims = self.order.get("claims", [])
        named = [self.card_named(claim.get("card", claim.get("code"))) for claim in claims if "card" in claim or "code" in claim]
        self.presented = self.shown + [card for card in named if card is not None and card.partner_id in (None, self.partner)]
        self.entered = []
        for index, claim in enumerate(self.order.get("claims", [])):
            if "program_id" in claim:
                self.named.add(claim["program_id"])
            if index in self.refused:
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

    # A code entered by hand

    def read_code(self, index, code):
        found = self.catalog.program_of_code(code)
        if found is not None:
            return self.read_rule_code(index, code, *found)
        card = self.card_named(code)
        program = None if card is None else self.catalog.programs.get(card.program_id)
        if program is None or has_member_card(program):
            return "unknown_code"
        if program["program_type"] == "referral":
            return self.read_referral_code(index, program, card)
        if card.partner_id not in (None, self.partner):
            return "unknown_card"
        if card.is_blocked:
            return "card_blocked"
        if card.program_id in self.absent:
            return self.absent[card.program_id]
        least = min((minor(reward.get("required_points", 1)) for reward in rewards_of(program).values()), default=0)
        if card.usable < least:
            return "not_enough_points" if program["program_type"] == "gift_card" else "code_used"
        if program["program_type"] == "coupons" and not self.fits(program, [], self.codes_until(index)):
            return self.why_not_held(program, self.codes_until(index))
        self.shown.append(card)
        self.entered.append(card)
        return self.claim_by_code(index, program, card, is_card_spent=True)

    def read_rule_code(self, index, code, program, rule):
        if program["program_id"] in self.absent:
            return self.absent[program["program_id"]]
        codes = self.codes_until(index) + [code]
        reason = self.why_rule_fails(program, rule, [], codes)
        if reason is not None:
            return reason
        self.named.add(program["program_id"])
        self.codes.append((index, code))
        self.rule_codes.append((index, program, rule))
        if not self.fits(program, [], codes):
            self.waits[index] = (program, "code_needed")
            return None
        if is_spent_by_card(program, codes):
            self.accepted.add(index)  # it only earns
            return None
        if has_member_card(program) and not self.has_member:
            return "no_member"
        pocket = self.standing.member_card(program["program_id"], self.partner) if has_member_card(program) else None
        return self.claim_by_code(index, program, pocket)

    def read_referral_code(self, index, program, card):
        """Rule 29: a friend's first order; its own points pay."""
        if program["program_id"] in self.absent:
            return self.absent[program["program_id"]]
        if not self.has_member:
            return "no_member"
        if card.partner_id == self.partner:
            return "own_code"
        if self.referral is not None:
            return "one_referral"
        if not self.standing.is_first_order:
            return "not_first_order"
        self.referral = index, program, card
        if not self.fits(program, [], self.codes_until(index)):
            self.referral = None
            return self.why_not_held(program, self.codes_until(index))
        return self.claim_by_code(index, program, None)

    def claim_by_code(self, index, program, pocket, is_card_spent=False):
        rewards = rewards_of(program)
        if len(rewards) != 1 or len(next(iter(rewards.values())).get("reward_product_ids", [])) > 1:
            self.accepted.add(index)
            return None
        entry = self.entry(program, *next(iter(rewards.items())), pocket, claim=index)
        if not is_card_spent and self.usable(entry, []) < entry.required:
            self.waits[index] = (program, "not_enough_points")
            return None
        self.claimed.append(entry)
        return None

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
        rewards = rewards_of(program)
        if "reward_id" not in claim and len(rewards) > 1:
            return "ambiguous_reward"
        if not rewards or claim.get("reward_id", next(iter(rewards))) not in rewards:
            return "unknown_reward"
        reward_id = claim.get("reward_id", next(iter(rewards)))
        reward = rewards[reward_id]
        pocket, reason = self.pocket_of(program, card, index, minor(reward.get("required_points", 1)))
        if reason is not None:
            return reason
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

    def pocket_of(self, program, card, index, required):
        """(the card that pays; None: the points of the order; why there is none)."""
        codes = self.codes_until(index)
        if card is None and has_member_card(program):
            card = self.member_card_of(program)
            if card is None:
                return None, "no_member"
        elif card is None and (is_spent_by_card(program, codes) or not self.is_open(program, codes) or not self.fits(program, [], codes)):
            card = self.card_to_spend(program, index, required)
            if card is None:
                return None, "unknown_card"
        if card is not None and card.is_blocked:
            return None, "card_blocked"
        if program["program_type"] == "coupons" and not self.fits(program, [], codes):
            return None, self.why_not_held(program, codes)
        return card, None

    def why_not_held(self, program, codes):
        """The first condition that fails."""
        rules = conditions_of(program, codes) if program["program_type"] == "coupons" else program.get("rules", [])
        fails = [self.why_rule_fails(program, rule, [], codes) for rule in rules]
        return next((reason for reason in fails if reason is not None), "code_needed")

    def member_card_of(self, program):
        """The card of a program of which everybody has one: the member's, else the first that was shown."""
        if self.has_member:
            return self.standing.member_card(program["program_id"], self.partner)
        shown = [one for one in self.shown if one.program_id == program["program_id"]]
        return shown[0] if shown else None

    def card_to_spend(self, program, index, required):
        """Of the member's cards and those that were shown: the first one that suffices and no other claim uses. One whose
        code is entered counts from there on."""
        taken = [id(entry.pocket) for entry in self.claimed]
        own = [card for card in self.standing.cards if card.partner_id is not None and card.partner_id == self.partner]
        others = [card for card in self.presented if not any(card is one for one in own) and not self.waits_to_be_shown(card)]
        best, most = None, -1
        for card in own + others:
            if card.program_id != program["program_id"]:
                continue
            is_shown = any(one is card for one in self.presented)
            suffices = not card.is_blocked and card.usable >= required
            merit = 4 * suffices + 2 * (id(card) not in taken) + is_shown
            if merit > most:
                best, most = card, merit
        return best

    def waits_to_be_shown(self, card):
        codes = [claim["code"] for claim in self.order.get("claims", []) if "code" in claim]
        is_entered = any(same_code(card.code, code) for code in codes if card.code is not None)
        return is_entered and not any(one is card for one in self.entered)

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
        earns = program["program_type"] == "referral" or (has_member_card(program) and self.earning_card(program) is not None)
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
