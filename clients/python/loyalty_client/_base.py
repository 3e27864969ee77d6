"""The root of the exceptions; those for each code are made from the protocol's table (_tables.py)."""


class LoyaltyError(Exception):
    """A request failed.

    ``code``            the protocol's code ("busy"), see docs/protocol.md, "Errors"
    ``message``         one sentence for a person
    ``details``         machine-readable: a dict
    ``retryable``       the same request may succeed later
    ``outcome_unknown`` it may have been done all the same; sending it again with the same ``key`` tells
    ``key``             the key it was sent with, None where it has none in the header
    """

    code = "internal"
    retryable = False

    def __init__(self, message, details=None, retryable=None, outcome_unknown=False, code=None, key=None):
        super().__init__(message)
        self.message = message
        self.details = details or {}
        self.outcome_unknown = outcome_unknown
        self.key = key
        if code is not None:
            self.code = code
        if retryable is not None:
            self.retryable = retryable

    def __str__(self):
        return f"{self.code}: {self.message}"

    def __reduce__(self):
        # Exceptions with more than a message have to say how they are made anew (multiprocessing, Odoo's queues).
        values = (self.message, self.details, self.retryable, self.outcome_unknown, self.code, self.key)
        return type(self), values

    @property
    def retry_after(self):
        """Seconds after which to try again, as the engine asked for; 0.0 where it did not."""
        milliseconds = self.details.get("retry_after_ms")
        return milliseconds / 1000 if isinstance(milliseconds, int) and milliseconds > 0 else 0.0
