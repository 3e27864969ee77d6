"""The model, called as an engine is."""

from loyalty_client import LoyaltyError

from .world import Refused, World


class ModelEngine:
    def __init__(self):
        self.world = World()

    def call(self, method, body):
        try:
            return self.world.call(method, dict(body))
        except Refused as refused:
            raise LoyaltyError(str(refused), refused.details, code=refused.code) from refused
