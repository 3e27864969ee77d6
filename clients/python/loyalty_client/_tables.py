"""The protocol's tables: codes, methods, limits. Made by make_tables.py; do not edit."""

from ._base import LoyaltyError

PROTOCOL_VERSION = 1

#: The engine's bounds on a request.
LIMITS = {
    "body_bytes_max": 1048576,
    "header_bytes_max": 1024,
    "depth_max": 8,
    "lines_max": 1000,
    "name_bytes_max": 64,
    "meta_bytes_max": 1024,
    "ttl_default_ms": 5000,
    "ttl_max_ms": 600000,
    "traceparent_bytes_max": 55,
}

#: The closed sets of names that fields take.
NAMES = {
    "channel": ["pos", "sale"],
    "tax_rounding": ["per_line", "global"],
    "tax_type": ["percent", "fixed"],
    "on_refused": ["fail", "skip"],
    "shortfall": ["debt", "refuse", "forgive"],
    "program_type": ["promotion", "buy_x_get_y", "coupons", "promo_code", "next_order_coupons", "referral", "loyalty", "gift_card", "ewallet"],
    "program_state": ["draft", "active", "archived"],
    "trigger": ["auto", "with_code"],
    "applies_on": ["current", "future", "both"],
    "weekday": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
    "stacking": ["stack", "exclusive", "best_of"],
    "discount_base": ["remaining", "initial"],
    "earn_on": ["gross", "net"],
    "expiry": ["never", "days", "months", "years", "end_of_month", "end_of_year", "date"],
    "restore_expired": ["keep", "extend_days"],
    "tax_mode": ["incl", "excl"],
    "rule_mode": ["auto", "with_code"],
    "point_mode": ["order", "money", "unit"],
    "reward_type": ["discount", "product", "special_price", "special_set", "multiple_discount", "point"],
    "discount_mode": ["percent", "per_point", "per_order"],
    "applicability": ["order", "cheapest", "specific"],
    "level_window": ["lifetime", "calendar_year", "rolling_months"],
    "level_change": ["transfer", "reset"],
    "job": ["expire", "memberships", "holds", "referrals", "partitions"],
    "topic": ["order.processed", "order.refunded", "order.cancelled", "card.created", "card.adjusted", "catalog.changed", "card.blocked", "card.unblocked", "membership.changed", "alert", "points.expired", "referral.booked", "member.merged", "member.forgotten", "points.earned", "points.redeemed", "promotion.applied", "sync.failed"],
}

#: The lists of ``load.put``, and how many records each may have in one part.
LOAD_LISTS = {
    "stores": 1000,
    "partners": 5000,
    "products": 5000,
    "categories": 5000,
    "levels": 100,
    "programs": 1000,
}

#: Every method: the scope of its key (none, order, cancel, op), who may call it, what it does.
METHODS = {
    "order.quote": {"scope": "none", "roles": ["till", "odoo", "admin"], "doc": "price an order; nothing is written"},
    "order.process": {"scope": "order", "roles": ["till", "odoo", "admin"], "doc": "price an order, earn and spend, exactly once"},
    "order.refund": {"scope": "order", "roles": ["till", "odoo", "admin"], "doc": "the same, with returns only"},
    "order.cancel": {"scope": "cancel", "roles": ["till", "odoo", "admin"], "doc": "undo wholly an order that was never paid for"},
    "order.get": {"scope": "none", "roles": ["till", "odoo", "admin"], "doc": "a stored order, as it was answered"},
    "card.create": {"scope": "op", "roles": ["till", "odoo", "admin"], "doc": "a new card"},
    "card.get": {"scope": "none", "roles": ["till", "odoo", "admin"], "doc": "one card, or a member's cards"},
    "card.balance": {"scope": "none", "roles": ["till", "odoo", "admin"], "doc": "its balance at an instant"},
    "card.history": {"scope": "none", "roles": ["till", "odoo", "admin"], "doc": "its journal, the newest first"},
    "card.adjust": {"scope": "op", "roles": ["odoo", "admin"], "doc": "add or take points, with a reason"},
    "program.put": {"scope": "op", "roles": ["odoo", "admin"], "doc": "make or replace a program"},
    "program.get": {"scope": "none", "roles": ["till", "odoo", "admin"], "doc": "a program"},
    "program.list": {"scope": "none", "roles": ["till", "odoo", "admin"], "doc": "programs, by id"},
    "program.delete": {"scope": "op", "roles": ["odoo", "admin"], "doc": "take a program out of use; its versions stay"},
    "reference.put": {"scope": "op", "roles": ["odoo", "admin"], "doc": "stores, partners, products, categories, levels"},
    "load.begin": {"scope": "op", "roles": ["odoo", "admin"], "doc": "open a staged load"},
    "load.put": {"scope": "op", "roles": ["odoo", "admin"], "doc": "stage a part of it"},
    "load.commit": {"scope": "op", "roles": ["odoo", "admin"], "doc": "switch it over, whole or not at all"},
    "admin.health": {"scope": "none", "roles": ["till", "odoo", "monitor", "admin"], "doc": "a worker's and its database's state"},
    "admin.stats": {"scope": "none", "roles": ["till", "odoo", "monitor", "admin"], "doc": "the broker's figures, and each worker's"},
    "card.block": {"scope": "op", "roles": ["odoo", "admin"], "doc": "a card that neither earns nor spends"},
    "card.unblock": {"scope": "op", "roles": ["odoo", "admin"], "doc": "does both again"},
    "card.transfer": {"scope": "op", "roles": ["odoo", "admin"], "doc": "points from card to card; they keep their dates"},
    "coupon.generate": {"scope": "op", "roles": ["odoo", "admin"], "doc": "cards with codes made by a pattern"},
    "coupon.list": {"scope": "none", "roles": ["odoo", "admin"], "doc": "the coupons of a batch"},
    "coupon.check": {"scope": "none", "roles": ["till", "odoo", "admin"], "doc": "what a code is worth"},
    "order.explain": {"scope": "none", "roles": ["till", "odoo", "admin"], "doc": "why a stored order came out as it did, and whether it still would"},
    "points.hold": {"scope": "op", "roles": ["till", "odoo", "admin"], "doc": "reserve points for a time"},
    "points.capture": {"scope": "op", "roles": ["till", "odoo", "admin"], "doc": "spend what is held"},
    "points.release": {"scope": "op", "roles": ["till", "odoo", "admin"], "doc": "let go of what is held"},
    "membership.get": {"scope": "none", "roles": ["till", "odoo", "admin"], "doc": "a member's level, and what is missing for the next"},
    "membership.change": {"scope": "op", "roles": ["odoo", "admin"], "doc": "put a member on a level, whatever was spent"},
    "membership.evaluate": {"scope": "op", "roles": ["odoo", "admin"], "doc": "move a member up or down by what was spent"},
    "job.run": {"scope": "op", "roles": ["admin"], "doc": "a step of a background job; again until it is done"},
    "referral.create": {"scope": "op", "roles": ["till", "odoo", "admin"], "doc": "a member's referral code: the one there is, or a new one"},
    "member.merge": {"scope": "op", "roles": ["odoo", "admin"], "doc": "make one member of two"},
    "member.forget": {"scope": "op", "roles": ["odoo", "admin"], "doc": "take out all that tells who a member was; sums stay"},
    "admin.ping": {"scope": "none", "roles": ["till", "odoo", "monitor", "admin"], "doc": "a sign of life of the broker, without waiting"},
    "job.list": {"scope": "none", "roles": ["monitor", "admin"], "doc": "how far each background job is"},
    "job.stop": {"scope": "op", "roles": ["admin"], "doc": "stop a background job until job.run says to go on"},
    "events.read": {"scope": "none", "roles": ["odoo", "monitor", "admin"], "doc": "events after a number, in their order"},
    "admin.drain": {"scope": "none", "roles": ["admin"], "doc": "end a worker or this broker, once what it has is answered"},
}


class InvalidRequest(LoyaltyError):
    """The request is malformed; details.path names the field."""

    code = "invalid_request"
    retryable = False


class Unauthenticated(LoyaltyError):
    """The peer has no key that the engine knows."""

    code = "unauthenticated"
    retryable = False


class Forbidden(LoyaltyError):
    """The peer's roles do not allow this method."""

    code = "forbidden"
    retryable = False


class NotFound(LoyaltyError):
    """What the request names does not exist."""

    code = "not_found"
    retryable = False


class Conflict(LoyaltyError):
    """The key was used with another body, or the order is cancelled."""

    code = "conflict"
    retryable = False


class InsufficientPoints(LoyaltyError):
    """The card has too few points."""

    code = "insufficient_points"
    retryable = False


class ClaimRefused(LoyaltyError):
    """A claim cannot be granted; details.reason says why."""

    code = "claim_refused"
    retryable = False


class PriceChanged(LoyaltyError):
    """Expected_total differs; details carry the new total."""

    code = "price_changed"
    retryable = False


class LimitReached(LoyaltyError):
    """A usage limit is reached; details.limit names it."""

    code = "limit_reached"
    retryable = False


class RefundExceeds(LoyaltyError):
    """More is returned than was bought."""

    code = "refund_exceeds"
    retryable = False


class CodeUsed(LoyaltyError):
    """The one-time code was used before."""

    code = "code_used"
    retryable = False


class CardBlocked(LoyaltyError):
    """The card is blocked."""

    code = "card_blocked"
    retryable = False


class HoldExpired(LoyaltyError):
    """The hold ran out before it was captured."""

    code = "hold_expired"
    retryable = False


class InvalidMembership(LoyaltyError):
    """The membership does not allow this."""

    code = "invalid_membership"
    retryable = False


class ExpiredDeadline(LoyaltyError):
    """The deadline passed before the work began; nothing was done."""

    code = "expired_deadline"
    retryable = True


class Busy(LoyaltyError):
    """A bound was reached; try again after details.retry_after_ms."""

    code = "busy"
    retryable = True


class WorkerLost(LoyaltyError):
    """The workers that had the request died; the outcome is unknown until it is resent."""

    code = "worker_lost"
    retryable = True


class Unavailable(LoyaltyError):
    """The database or every worker is out of reach."""

    code = "unavailable"
    retryable = True


class TooLarge(LoyaltyError):
    """The request is over a size limit; details.path names it."""

    code = "too_large"
    retryable = False


class TooOld(LoyaltyError):
    """What was asked for is past its retention."""

    code = "too_old"
    retryable = False


class Internal(LoyaltyError):
    """A fault of the engine; it has raised an alert."""

    code = "internal"
    retryable = False


#: The exception of each code.
ERRORS_BY_CODE = {
    "invalid_request": InvalidRequest,
    "unauthenticated": Unauthenticated,
    "forbidden": Forbidden,
    "not_found": NotFound,
    "conflict": Conflict,
    "insufficient_points": InsufficientPoints,
    "claim_refused": ClaimRefused,
    "price_changed": PriceChanged,
    "limit_reached": LimitReached,
    "refund_exceeds": RefundExceeds,
    "code_used": CodeUsed,
    "card_blocked": CardBlocked,
    "hold_expired": HoldExpired,
    "invalid_membership": InvalidMembership,
    "expired_deadline": ExpiredDeadline,
    "busy": Busy,
    "worker_lost": WorkerLost,
    "unavailable": Unavailable,
    "too_large": TooLarge,
    "too_old": TooOld,
    "internal": Internal,
}

__all__ = [
    "ERRORS_BY_CODE",
    "LIMITS",
    "LOAD_LISTS",
    "METHODS",
    "NAMES",
    "PROTOCOL_VERSION",
    "InvalidRequest",
    "Unauthenticated",
    "Forbidden",
    "NotFound",
    "Conflict",
    "InsufficientPoints",
    "ClaimRefused",
    "PriceChanged",
    "LimitReached",
    "RefundExceeds",
    "CodeUsed",
    "CardBlocked",
    "HoldExpired",
    "InvalidMembership",
    "ExpiredDeadline",
    "Busy",
    "WorkerLost",
    "Unavailable",
    "TooLarge",
    "TooOld",
    "Internal",
]
