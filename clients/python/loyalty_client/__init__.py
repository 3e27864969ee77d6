"""Client of the Loyalty Engine.

    from loyalty_client import Client, InsufficientPoints

    with Client("tcp://127.0.0.1:7600") as client:
        answer = client.order_process({
            "order_id": "SHOP1-0001",
            "partner_id": 42,
            "lines": [{"product_id": 7, "qty": 2, "price_unit": Decimal("12.50")}],
        })
        print(answer["amount_total"], answer["points_earned"])

``Client`` is synchronous, ``AsyncClient`` for asyncio. Failures are exceptions, a class for each of the
protocol's codes. docs/protocol.md describes the protocol, docs/reference.md every method and field.
"""

from . import _tables
from ._aio_events import AsyncEvents
from ._base import LoyaltyError
from ._events import FEED_DEFAULT, Events
from ._tables import *  # noqa: F401,F403  the exceptions and tables; _tables.__all__ names them
from ._wire import affinity
from .aio import AsyncClient
from .client import ENDPOINT_DEFAULT, Client

__version__ = "0.1.0"
__all__ = [
    "AsyncClient",
    "AsyncEvents",
    "Client",
    "ENDPOINT_DEFAULT",
    "Events",
    "FEED_DEFAULT",
    "LoyaltyError",
    "affinity",
    *_tables.__all__,
]
