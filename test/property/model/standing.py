"""What an order finds: cards, the member's level and history, and how often programs were used."""

import datetime
from dataclasses import dataclass, field


@dataclass
class Pocket:
    """A card as an order finds it, in hundredths of a point."""

    program_id: int
    usable: int = 0  # without what is held
    partner_id: int = None  # None: the bearer's
    code: str = None
    debt: int = 0
    is_blocked: bool = False
    card: object = None  # the Card, where it is of a World

    def key(self):
        return (self.program_id, self.partner_id, self.code, None if self.card is None else self.card.id)


@dataclass
class Standing:
    """`cards`: every card there is. `uses`: {(program, limit): uses so far in its period}; `given`: {program: cents}."""

    cards: list = field(default_factory=list)
    level: int = None
    is_first_order: bool = False
    birthday: datetime.date = None
    birthdays_used: set = field(default_factory=set)  # (program, year)
    uses: dict = field(default_factory=dict)
    given: dict = field(default_factory=dict)

    def used(self, program_id, limit):
        return self.uses.get((program_id, limit), 0)

    def member_card(self, program_id, partner_id):
        """The member's card of a loyalty or wallet program."""
        if partner_id is None:
            return None
        owned = [card for card in self.cards if (card.program_id, card.partner_id) == (program_id, partner_id)]
        return owned[0] if owned else Pocket(program_id, partner_id=partner_id)
