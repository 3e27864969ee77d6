"""The clients against a real engine: the same order through each is done once, and errors come as documented."""

import asyncio
import decimal
import threading
import uuid

import pytest
from client_faces import FACES, skip_where_not_loadable

import loyalty_client
from curve import client_options
from loyalty_client import AsyncClient

PROGRAM = 7100001
PRODUCT = 7100001


@pytest.fixture(scope="module")
def loaded(shared_engine):
    """The engine with a program of this module's own: a point for each unit of money."""
    client = shared_engine.client(timeout=30)
    result = client.load(
        programs=[
            {
                "program_id": PROGRAM,
                "name": "Clients' points",
                "program_type": "loyalty",
                "rules": [{"product_ids": [PRODUCT], "reward_point_mode": "money", "reward_point_amount": 1}],
                "rewards": [
                    {
                        "reward_type": "discount",
                        "discount_mode": "per_point",
                        "discount": decimal.Decimal("0.01"),
                        "required_points": 100,
                    }
                ],
            }
        ],
        products=[{"product_id": PRODUCT, "name": "Mug"}],
    )
    assert result["programs"] == 1 and result["products"] == 1
    return shared_engine


@pytest.fixture(params=sorted(FACES))
def face(request, loaded):
    """A client of each kind."""
    if request.param == "c":
        skip_where_not_loadable()
    client = FACES[request.param](loaded.endpoint, timeout=30, silence=5.0, **client_options())
    yield client
    client.close()


def new_id():
    return f"clients-{uuid.uuid4().hex[:12]}"


def new_partner():
    return uuid.uuid4().int >> 80  # 48 bits


def order_of(partner_id, order_id=None, qty="2"):
    lines = [{"product_id": PRODUCT, "qty": qty, "price_unit": "12.50"}]
    return {"order_id": order_id or new_id(), "partner_id": partner_id, "lines": lines}


def balance_of(client, partner_id):
    return client.call("card.balance", {"partner_id": partner_id, "program_id": PROGRAM})["balance"]


def test_an_order_and_its_replay(face):
    partner = new_partner()
    order = order_of(partner)
    first, second = face.call("order.process", order), face.call("order.process", order)
    assert (first["amount_total"], first["points_earned"]) == ("25.00", "25.00")
    assert (first.pop("replayed"), second.pop("replayed")) == (False, True)
    assert first == second
    assert balance_of(face, partner) == "25.00"


def test_an_order_through_all_the_clients_is_done_once(loaded):
    skip_where_not_loadable()
    partner = new_partner()
    order = order_of(partner)
    clients = [kind(loaded.endpoint, timeout=30, silence=5.0, **client_options()) for kind in FACES.values()]
    replayed = [client.call("order.process", order)["replayed"] for client in clients]
    assert replayed == [False, True, True]
    assert {balance_of(client, partner) for client in clients} == {"25.00"}
    for client in clients:
        client.close()


def test_the_same_id_with_another_body(face):
    order = order_of(new_partner())
    face.call("order.process", order)
    with pytest.raises(type(face).Error) as caught:
        face.call("order.process", dict(order, lines=order_of(1, qty="3")["lines"]))
    assert caught.value.code == "conflict" and caught.value.details["reason"] == "key_reused"


def test_an_operation_with_its_key_is_done_once(face):
    partner, key = new_partner(), str(uuid.uuid4())
    face.call("order.process", order_of(partner))
    adjust = {"partner_id": partner, "program_id": PROGRAM, "points": "5", "reason": "a gift"}
    assert [face.call("card.adjust", adjust, key=key)["replayed"] for _ in range(3)] == [False, True, True]
    assert balance_of(face, partner) == "30.00"
    face.call("card.adjust", adjust)  # with a key that the client makes
    assert balance_of(face, partner) == "35.00"


def test_a_field_that_is_wrong_is_named(face):
    with pytest.raises(type(face).Error) as caught:
        face.call("order.process", order_of(1, qty="many"))
    assert caught.value.code == "invalid_request" and caught.value.details["path"] == "lines[0].qty"
    with pytest.raises(type(face).Error) as caught:
        face.call("order.conjure", {})
    assert caught.value.code == "invalid_request" and caught.value.details["path"] == "method"


def test_a_price_that_changed_comes_with_the_quote(face):
    with pytest.raises(type(face).Error) as caught:
        face.call("order.process", dict(order_of(new_partner()), expected_total="7.00"))
    error = caught.value
    assert error.code == "price_changed" and error.details["amount_total"] == "25.00"
    assert error.details["quote"]["lines"][0]["amount_total"] == "25.00"


def test_many_orders_at_once(face):
    partner = new_partner()
    orders = [order_of(partner) for _ in range(60)]
    outcomes = face.call_many([("order.process", order) for order in orders])
    assert [outcome["points_earned"] for outcome in outcomes] == ["25.00"] * 60
    assert balance_of(face, partner) == "1500.00"


def test_a_refund_a_cancel_and_the_history(loaded):
    client = loaded.client(timeout=30)
    partner = new_partner()
    kept, undone = order_of(partner, qty="20"), order_of(partner)
    client.order_process(kept)
    client.order_process(undone)
    back = {
        "order_id": new_id(),
        "partner_id": partner,
        "refund_of": kept["order_id"],
        "lines": [{"product_id": PRODUCT, "qty": decimal.Decimal("-5"), "price_unit": decimal.Decimal("12.50")}],
    }
    refund = client.order_refund(back)
    assert refund["amount_total"] == "-62.50" and refund["points_earned"] == "-62.50"
    assert refund["give_back"] == [{"to": "payment", "amount": "62.50"}]
    assert client.order_cancel(undone["order_id"], "mistyped")["points_earned"] == "-25.00"
    assert client.order_get(kept["order_id"])["points_earned"] == "250.00"
    page = client.card_history(partner_id=partner, program_id=PROGRAM, limit=2)
    rest = client.card_history(partner_id=partner, program_id=PROGRAM, limit=1000, cursor=page["next_cursor"])
    rows = page["history"] + rest["history"]
    assert rest["next_cursor"] is None and rows[0]["balance"] == "187.50"
    assert sum(decimal.Decimal(row["points"]) for row in rows) == decimal.Decimal("187.50")


def test_threads_on_one_card(loaded):
    client = loaded.client(timeout=30)
    partner, failures = new_partner(), []

    def work():
        try:
            for _ in range(10):
                client.order_process(order_of(partner))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert client.card_balance(partner_id=partner, program_id=PROGRAM)["balance"] == "1500.00"


def test_orders_go_on_when_the_broker_and_a_worker_die(own_engine):
    """What was answered is in the ledger, once: however often the clients had to send it."""
    own_engine.client(timeout=30).load(
        programs=[{"program_id": 1, "name": "P", "program_type": "loyalty", "rules": [{"reward_point_mode": "money"}],
                   "rewards": [{"reward_type": "discount", "discount_mode": "per_point", "discount": "0.01",
                                "required_points": 100}]}]
    )  # fmt: skip

    async def run():
        async with AsyncClient(own_engine.endpoint, timeout=60, silence=1.0, in_flight=16, **client_options()) as client:

            async def one(number):
                return await client.order_process(order_of(1000 + number % 10, f"chaos-{number}"))

            calls = [asyncio.ensure_future(one(number)) for number in range(3000)]
            await calls[100]
            broker = own_engine.kill_process("broker")
            assert not calls[-1].done(), "the broker was to die in the midst of it"
            await asyncio.to_thread(own_engine.wait_for_new, "broker", broker)
            worker = own_engine.kill_worker(1)
            assert not calls[-1].done(), "the worker was to die in the midst of it"
            await asyncio.to_thread(own_engine.wait_for_new, "worker-1", worker)
            return await asyncio.gather(*calls)

    assert [answer["points_earned"] for answer in asyncio.run(run())] == ["25.00"] * 3000
    balances = [own_engine.call("card.balance", {"partner_id": 1000 + n, "program_id": 1})["balance"] for n in range(10)]
    assert balances == ["7500.00"] * 10
    own_engine.assert_ledger_holds()


def test_every_method_is_known_to_the_engine(loaded):
    """The committed tables and the engine that runs agree: none of the methods is refused for its name."""
    client = loaded.client(timeout=30)
    for method in loyalty_client.METHODS:
        try:
            client.call(method, {"no such field": 1}, key="k" * 64)
        except loyalty_client.LoyaltyError as error:
            assert error.code == "invalid_request" and error.details.get("path") != "method", (method, error)
        else:
            assert method in ("admin.stats", "admin.ping"), method  # the broker's own has no body to look at
