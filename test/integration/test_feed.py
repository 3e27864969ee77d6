"""The event feed: every committed change has its number, numbers have no gaps, a member's events come in the order of their commits,
whoever fails and whatever is held open meanwhile."""

import random
import signal
import subprocess
import threading
import time

import msgpack
import psycopg2
import pytest
import zmq

import curve
from harness import Engine, environment, process_exists, program, wait_until
from loyalty_client import Client, LoyaltyError
from shop import loyalty_program, new_id, order

SOON_S = 30  # for what takes milliseconds on a machine that does nothing else


class Subscriber:
    """A plain SUB on all feeds: what it was sent, as it came. ``reads``: whether it ever takes a message."""

    def __init__(self, endpoints, reads=True, **options):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        for name, value in options.items():
            self.socket.setsockopt(getattr(zmq, name), value)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"")
        curve.protect(self.socket)
        for endpoint in endpoints:
            self.socket.connect(endpoint)
        self.events, self.tips, self.arrived = {}, [], []
        self.is_ending = False
        self.thread = threading.Thread(target=self.read, daemon=True)
        if reads:
            self.thread.start()
            wait_until(lambda: self.tips, SOON_S, "a tip")

    def read(self):
        while not self.is_ending:
            if not self.socket.poll(50):
                continue
            topic, body = self.socket.recv_multipart()
            event = msgpack.unpackb(body)
            if topic == b"tip":
                self.tips.append(event)
            else:
                assert event["topic"].encode() == topic
                self.arrived.append(event["number"])
                # What comes again is the same.
                assert self.events.setdefault(event["number"], event) == event

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_ending = True
        if self.thread.is_alive():
            self.thread.join()
        self.socket.close(0)
        self.context.term()


def state(engine):
    """(epoch, newest number, oldest number, slot)"""
    return engine.query("SELECT epoch, last, oldest, slot FROM feed_state")[0]


def last_of(engine):
    return state(engine)[1]


def wait_for_all(engine):
    """Waits until nothing lies in the outbox; the newest number."""
    wait_until(lambda: engine.query("SELECT count(*) FROM outbox")[0][0] == 0, SOON_S, "the outbox to be empty")
    return last_of(engine)


def numbers_of(engine, after=0):
    """{number: (topic, order_ref)} of all events after one."""
    numbers = {}
    for number, topics, order_ref in engine.query("SELECT number, topics, order_ref FROM feed ORDER BY number"):
        for topic in range(1, 32):
            if topics & 1 << (topic - 1):
                if number > after:
                    numbers[number] = (topic, order_ref)
                number += 1
    return numbers


def write_changes(engine, count, body_bytes=200, block=2000):
    """Commits changes as workers do, without anything that they tell of."""
    body = msgpack.packb({"note": "x" * body_bytes})
    connection = engine.db()
    try:
        for start in range(0, count, block):
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO outbox (slot, bucket, position, recorded_at, topics, order_ref, card_id, body) "
                    "SELECT (SELECT last_value FROM outbox_slot), 0, nextval('outbox_positions') * 1024, clock_timestamp(), 16, 0, n, %s "
                    "FROM generate_series(1, %s) n",
                    (body, min(block, count - start)),
                )
    finally:
        connection.close()


def slots_of(engine):
    """{slot: bytes}"""
    return dict(engine.query(
        "SELECT substr(c.relname, 8)::int, pg_relation_size(c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = 'outbox'::regclass"
    ))  # fmt: skip


class Load:
    """Orders of a few members from several threads, so that they collide."""

    def __init__(self, engine, threads=6, members=5, partners_from=500):
        self.engine, self.members, self.partners_from = engine, members, partners_from
        self.is_ending = False
        self.done = 0
        self.failures = []
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True) for number in range(threads)]

    def run(self, seed):
        choice = random.Random(seed)
        with Client(self.engine.endpoint, **self.engine.client_options()) as client:
            while not self.is_ending:
                body = order(self.partners_from + choice.randrange(self.members), order_id=new_id(f"L{seed}-{choice.random()}"))
                if choice.random() < 0.3:
                    body.update(claims=[{"program_id": 1, "reward_id": 2}], on_refused="skip")
                while not self.is_ending:
                    try:
                        client.call("order.process", body, timeout=5)
                        self.done += 1
                        break
                    except LoyaltyError as error:  # sent again until it is known what became of it
                        if not error.retryable:
                            self.failures.append(error)
                            return

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_ending = True
        for thread in self.threads:
            thread.join()
        assert not self.failures, self.failures[0]
        assert self.done > 0


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("program.put", loyalty_program())
    return engine


@pytest.fixture(scope="module")
def alone():
    """An engine for what has nothing to do with buckets."""
    with Engine() as engine:
        engine.call("program.put", loyalty_program())
        yield engine


@pytest.fixture(scope="module")
def pair():
    """An engine with two feeds, of which tests kill and stop one."""
    with Engine(feeds=2) as engine:
        engine.call("program.put", loyalty_program())
        yield engine


def test_an_event_is_published_once_its_change_is_committed(alone):
    with Subscriber(alone.feed_endpoints) as subscriber:
        body = order(4711)
        alone.call("order.process", body)
        found = wait_until(
            lambda: [event for event in list(subscriber.events.values()) if event.get("order_id") == body["order_id"]], SOON_S, "the event"
        )
        assert {"order.processed"} <= {event["topic"] for event in found}
        assert all(event["partner_id"] == 4711 for event in found)


def test_a_tip_each_second_tells_the_newest_number(alone):
    with Subscriber(alone.feed_endpoints) as subscriber:
        alone.call("order.process", order(4712))
        newest = wait_for_all(alone)
        wait_until(lambda: subscriber.tips[-1]["number"] >= newest, SOON_S, "a tip that tells of it")
        count = len(subscriber.tips)
        wait_until(lambda: len(subscriber.tips) >= count + 2, SOON_S, "two more tips")
        assert subscriber.tips[-1] == dict(subscriber.tips[-1], number=newest, epoch=state(alone)[0])


def test_the_events_of_a_card_come_in_the_order_of_its_journal(shop):
    before = wait_for_all(shop)
    with Subscriber(shop.feed_endpoints) as subscriber:
        with Load(shop):
            time.sleep(4)
        newest = wait_for_all(shop)
        wait_until(lambda: max(subscriber.events, default=0) == newest, SOON_S, "the last event")
    assert sorted(subscriber.events) == list(range(before + 1, newest + 1))
    assert subscriber.arrived == sorted(subscriber.arrived)
    wrong = shop.query(
        "SELECT * FROM (SELECT h.card_id, h.seq, f.number, lag(f.number) OVER (PARTITION BY h.card_id ORDER BY h.seq) AS earlier "
        "FROM point_history h JOIN feed f ON f.order_ref = h.order_ref AND h.order_ref > 0 AND f.bucket = h.bucket) n WHERE number < earlier"
    )
    assert wrong == []
    assert len(shop.query("SELECT DISTINCT card_id FROM point_history")) >= 5
    shop.assert_ledger_holds()


def test_a_change_of_many_rows_has_positions_of_its_own_for_each(shop):
    """A statement of the worker has 1,024 positions by one number: of more rows each block has a number of its own."""
    before = wait_for_all(shop)
    shop.call("program.put", {"program_id": 90, "name": "C", "program_type": "coupons", "rules": [{}], "rewards": [{"discount": 5}]})
    shop.call("coupon.generate", {"program_id": 90, "batch": "many", "pattern": "M#########", "count": 3000}, timeout=60)
    newest = wait_for_all(shop)
    kinds = [topic for topic, _ in numbers_of(shop, before).values()]
    assert kinds.count(4) == 3000 and len(kinds) == newest - before
    cards = shop.query("SELECT count(DISTINCT card_id) FROM feed WHERE topics = 8 AND number > %s", (before,))
    assert cards == [(3000,)]


def caught_up(engine, subscribers, before):
    """What each subscriber knows once it has read again what it missed: all the same, and all there is."""
    newest = wait_for_all(engine)
    kept = numbers_of(engine, before)
    assert sorted(kept) == list(range(before + 1, newest + 1)), "a gap, or a repeat"
    for subscriber in subscribers:
        wait_until(lambda one=subscriber: one.tips and one.tips[-1]["number"] >= newest, SOON_S, "a tip that tells of the last event")
        assert set(subscriber.events) - set(kept) <= set(range(1, before + 1)), "published, and not kept"
        for number, event in subscriber.events.items():
            if number > before:
                assert event["topic"] == TOPICS[kept[number][0]]
    return kept


TOPICS = {
    1: "order.processed", 2: "order.refunded", 3: "order.cancelled", 4: "card.created", 5: "card.adjusted", 6: "catalog.changed",
    9: "membership.changed", 10: "alert", 15: "points.earned", 16: "points.redeemed", 17: "promotion.applied",
}  # fmt: skip


def test_a_leader_that_is_killed_is_replaced_and_no_number_is_missing_or_given_twice(pair):
    before = wait_for_all(pair)
    pair.call("order.process", order(1))
    with Subscriber(pair.feed_endpoints) as one, Subscriber(pair.feed_endpoints) as two, Subscriber(pair.feed_endpoints) as three:
        with Load(pair, threads=4):
            for _ in range(2):
                leader, epoch = pair.leading_feed(), state(pair)[0]
                time.sleep(1)
                pid = pair.kill_feed(leader)
                wait_until(lambda epoch=epoch: state(pair)[0] > epoch, SOON_S, "another leader")
                pair.wait_for_new(f"feed-{leader}", pid)
        caught_up(pair, (one, two, three), before)
    pair.assert_ledger_holds()


def test_a_leader_that_is_stopped_is_replaced_and_does_no_harm_when_it_wakes(pair):
    before = wait_for_all(pair)
    pair.call("order.process", order(1))
    with Subscriber(pair.feed_endpoints) as one, Subscriber(pair.feed_endpoints) as two, Subscriber(pair.feed_endpoints) as three:
        with Load(pair, threads=4):
            for _ in range(2):
                leader, epoch = pair.leading_feed(), state(pair)[0]
                time.sleep(random.uniform(0.3, 0.6))
                pair.pause(f"feed-{leader}")
                try:
                    wait_until(lambda epoch=epoch: state(pair)[0] > epoch, SOON_S, "another leader")
                    assert pair.leading_feed() != leader
                    newest = last_of(pair)
                    wait_until(lambda newest=newest: last_of(pair) > newest, SOON_S, "more events")
                finally:
                    pair.resume(f"feed-{leader}")
                time.sleep(0.3)
        caught_up(pair, (one, two, three), before)
    pair.assert_ledger_holds()


def test_a_leader_that_is_stopped_in_the_middle_of_a_move_gives_way(pair):
    """Its session holds the lock on the lead for as long as it stands still: a standby ends it."""
    before = wait_for_all(pair)
    pair.pause("feed-1"), pair.pause("feed-2")
    try:
        url = pair.database.replace("user=loyalty", "user=feed")
        stopped = psycopg2.connect(url, application_name="loyalty-feed")
        with stopped.cursor() as cursor:

            def take():
                cursor.execute("SELECT epoch, last FROM feed_take('stopped', 200)")
                taken = cursor.fetchone()
                stopped.commit()
                return taken

            epoch, last = wait_until(take, SOON_S, "the end of the lease")
            write_changes(pair, 10)
            cursor.execute("SELECT number FROM feed_move(%s, %s, 0, false)", (epoch, last))
            assert len(cursor.fetchall()) == 1  # it moved them, and never says COMMIT
    finally:
        pair.resume("feed-1"), pair.resume("feed-2")
    wait_until(lambda: state(pair)[0] > epoch, SOON_S, "another leader")
    with pytest.raises(psycopg2.Error):
        stopped.commit()
    newest = wait_for_all(pair)
    assert newest == before + 10 and sorted(numbers_of(pair, before)) == list(range(before + 1, newest + 1))


def test_a_move_of_one_who_leads_no_more_is_undone(pair):
    before = wait_for_all(pair)
    epoch = state(pair)[0]
    pair.pause("feed-1"), pair.pause("feed-2")
    try:
        write_changes(pair, 5)
        connection = psycopg2.connect(pair.database.replace("user=loyalty", "user=feed"))
        with connection.cursor() as cursor, pytest.raises(psycopg2.Error, match="another feed leads now"):
            cursor.execute("SELECT number FROM feed_move(%s, %s, 0, false)", (epoch - 1, before))
        connection.close()
        assert pair.query("SELECT count(*) FROM outbox") == [(5,)] and last_of(pair) == before
    finally:
        pair.resume("feed-1"), pair.resume("feed-2")
    assert wait_for_all(pair) == before + 5


def test_a_clock_that_was_set_back_keeps_nobody_from_leading(pair):
    """A lease that ends later than any that is given now counts for nothing."""
    epoch = state(pair)[0]
    leader = pair.leading_feed()
    pair.pause(f"feed-{leader}")
    try:
        pair.query("UPDATE feed_leader SET lease_until = clock_timestamp() + interval '1 hour'")
        wait_until(lambda: state(pair)[0] > epoch, SOON_S, "another leader")
    finally:
        pair.resume(f"feed-{leader}")


def test_a_leader_that_is_told_to_stop_lets_another_lead_at_once(pair):
    leader, epoch = pair.leading_feed(), state(pair)[0]
    pid = pair.signal(f"feed-{leader}", signal.SIGTERM)
    wait_until(lambda: state(pair)[0] > epoch, SOON_S, "another leader")
    pair.wait_for_new(f"feed-{leader}", pid)


# What is held open meanwhile


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def is_sanitized():
    with open(program("loyalty-feed"), "rb") as file:
        return b"__asan_init" in file.read()


def test_a_subscriber_that_never_reads_costs_others_nothing_and_memory_within_a_bound(alone):
    """10,000 messages wait for it, and no more."""
    before = wait_for_all(alone)
    pid = alone.processes()["feed-1"]
    with Subscriber(alone.feed_endpoints) as one, Subscriber(alone.feed_endpoints, reads=False, RCVHWM=10, RCVBUF=4096):
        size_mib = resident_mib(pid)
        for _ in range(12):
            write_changes(alone, 5000, body_bytes=2000)
            newest = wait_for_all(alone)
            wait_until(lambda newest=newest: max(one.events, default=0) == newest, SOON_S, "the last event")
        assert newest == before + 60000 and len(one.events) > 30000
        # All of them would be 120 MiB. The sanitizers keep what was freed.
        assert resident_mib(pid) < size_mib + 60 or is_sanitized()


def push_through(engine, count):
    """Commits so many changes, and waits until all are numbered."""
    before = wait_for_all(engine)
    write_changes(engine, count)
    assert wait_for_all(engine) == before + count


def test_a_write_transaction_in_another_database_of_the_cluster_does_not_stop_it(alone):
    other = psycopg2.connect(alone.database.replace("/loyalty?", "/postgres?"))
    try:
        with other.cursor() as cursor:
            cursor.execute("CREATE TABLE held_open (n integer)")
            cursor.execute("INSERT INTO held_open VALUES (1)")
            push_through(alone, 100)
            assert other.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_INTRANS
    finally:
        other.rollback()
        other.close()


def test_a_snapshot_that_is_held_open_lets_the_outbox_stay_small(alone):
    """Deleted rows that a snapshot keeps go by truncation, and no row changes with every move."""
    reader = alone.db()
    try:
        with reader.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT count(*) FROM orders")
            for _ in range(8):
                push_through(alone, 6000)
            cursor.execute("SELECT 1")
            wait_until(lambda: sum(slots_of(alone).values()) < 4 << 20, SOON_S, "the slots to be emptied")
            # Versions of the leader's row: three a second, not one for each move.
            assert alone.query("SELECT pg_relation_size('feed_leader')")[0][0] < 256 << 10
    finally:
        reader.close()


def test_locks_held_on_the_outbox_do_not_stop_it_and_its_slots_go_on_in_others(alone):
    """As pg_dump holds them on every slot that there is when it begins."""
    dump = alone.db()
    try:
        with dump.cursor() as cursor:
            cursor.execute("LOCK TABLE outbox IN ACCESS SHARE MODE")
            held = set(slots_of(alone))
            for _ in range(8):
                push_through(alone, 6000)
            wait_until(lambda: set(slots_of(alone)) - held, SOON_S, "another slot")
            assert alone.call("order.process", order(4713))["amount_total"]
            made = set(slots_of(alone))
            for _ in range(4):
                push_through(alone, 6000)
            assert len(slots_of(alone)) <= len(made) + 2, "slots that nobody holds are used again"
    finally:
        dump.close()

    def is_small():
        push_through(alone, 500)
        return sum(slots_of(alone).values()) < 4 << 20

    wait_until(is_small, SOON_S, "the slots to be emptied")


def test_a_slot_is_named_once_it_is_there_for_everyone(alone):
    """A sequence's value is seen before the transaction that set it has committed: by workers, which write where it says."""
    wait_for_all(alone)
    dump, rotating = alone.db(), alone.db()
    alone.pause("feed-1")
    try:
        with dump.cursor() as cursor, rotating.cursor() as rotation:
            cursor.execute("LOCK TABLE outbox IN ACCESS SHARE MODE")
            write_changes(alone, 100)  # so that no slot that was written to is free
            for _ in range(len(slots_of(alone)) + 2):
                rotation.execute("SELECT slots, is_stuck FROM outbox_rotate(%s, 0, 1000)", (state(alone)[0],))
                assert rotation.fetchone()[0] >= len(slots_of(alone))
                assert state(alone)[3] in slots_of(alone), "named before it was committed"
                write_changes(alone, 100)
                rotating.commit()
            dump.rollback()
    finally:
        rotating.close(), dump.close()
        alone.resume("feed-1")
    wait_for_all(alone)


def test_slots_are_left_to_workers_that_still_write_into_them(alone):
    """A worker that read the slot's number before it changed."""
    worker = alone.db()
    try:
        slot = state(alone)[3]
        with worker.cursor() as cursor:
            cursor.execute(
                "INSERT INTO outbox (slot, bucket, position, recorded_at, topics, order_ref, card_id) "
                "VALUES (%s, 0, nextval('outbox_positions') * 1024, clock_timestamp(), 8, 0, 987654321)",
                (slot,),
            )
            before = wait_for_all(alone)
            for _ in range(4):
                push_through(alone, 6000)
            wait_until(lambda: (push_through(alone, 200), state(alone)[3] != slot)[1], SOON_S, "another slot")
        worker.commit()
        wait_until(lambda: alone.query("SELECT count(*) FROM feed WHERE card_id = 987654321") == [(1,)], SOON_S, "its event")
        assert last_of(alone) > before
    finally:
        worker.close()


# What is kept, and what is lost


def test_days_are_made_ahead_and_dropped_once_their_time_is_over(own_engine):
    own_engine.call("order.process", order(1))
    newest = wait_for_all(own_engine)
    epoch, last, oldest, _ = state(own_engine)
    assert last == newest >= oldest
    days = [name for (name,) in own_engine.query("SELECT relname FROM pg_class WHERE relname ~ '^feed_2' AND relkind = 'r' ORDER BY 1")]
    assert len(days) >= 4
    # The first events become those of ten days ago.
    own_engine.query(
        "CREATE TABLE feed_2001_01_01 (LIKE feed INCLUDING CONSTRAINTS); "
        "ALTER TABLE feed ATTACH PARTITION feed_2001_01_01 FOR VALUES FROM ('2001-01-01 00:00+00') TO ('2001-01-02 00:00+00'); "
        "UPDATE feed SET sequenced_at = '2001-01-01 12:00+00'"
    )
    reader = own_engine.db()
    with reader.cursor() as cursor:  # somebody reads them again just now
        cursor.execute("SELECT count(*) FROM feed")
        assert own_engine.query("SELECT made, dropped FROM feed_partitions(%s, 7)", (epoch,)) == [(0, 0)]
    reader.close()
    assert own_engine.query("SELECT made, dropped FROM feed_partitions(%s, 7)", (epoch,)) == [(0, 1)]
    assert state(own_engine)[1:3] == (newest, newest + 1)
    own_engine.call("order.process", order(1))
    assert wait_for_all(own_engine) > newest
    assert sorted(numbers_of(own_engine))[0] == newest + 1
    own_engine.assert_ledger_holds()


def test_postgresql_killed_and_back_loses_no_event(alone):
    alone.call("program.put", loyalty_program())
    before = wait_for_all(alone)
    with Subscriber(alone.feed_endpoints) as one, Subscriber(alone.feed_endpoints) as two:
        with Load(alone, threads=4) as load:
            time.sleep(1)
            pid = alone.kill_process("postgresql")
            alone.wait_for_new("postgresql", pid)
            done = load.done
            wait_until(lambda: load.done > done + 5, SOON_S, "orders to go on")
        caught_up(alone, (one, two), before)
    alone.assert_ledger_holds()


def test_what_an_outage_left_is_caught_up_with(alone):
    """Without a feed changes wait; then they are moved a bounded number at a time."""
    before = wait_for_all(alone)
    with Subscriber(alone.feed_endpoints) as subscriber:
        alone.pause("feed-1")
        try:
            write_changes(alone, 9000)
        finally:
            alone.resume("feed-1")
        assert wait_for_all(alone) == before + 9000
        wait_until(lambda: subscriber.tips[-1]["number"] == before + 9000, SOON_S, "a tip that tells of the last event")
    assert sorted(numbers_of(alone, before)) == list(range(before + 1, before + 9001))


def test_fsck_finds_a_gap_a_repeat_and_an_order_without_its_event(alone):
    alone.call("order.process", order(1, order_id="F2"))
    newest = wait_for_all(alone)
    alone.assert_ledger_holds()

    def findings():
        return {(check["name"], finding["order"]) for check in alone.fsck()["checks"] for finding in check["findings"]}

    def last_change(sql):
        alone.query(f"{sql} WHERE number = (SELECT max(number) FROM feed)")

    first = alone.query("SELECT max(number) FROM feed")[0][0]
    assert first <= newest
    last_change("UPDATE feed SET number = number + 1")
    assert findings() == {("90_feed_numbers", "F2")}
    last_change("UPDATE feed SET number = number - 2")
    assert findings() == {("90_feed_numbers", "F2")}
    alone.query("UPDATE feed SET number = %s WHERE order_ref = (SELECT order_ref FROM request_keys WHERE key = 'F2')", (first,))
    alone.assert_ledger_holds()
    last_change("UPDATE feed SET topics = topics << 1, order_ref = 0")
    found = findings()
    last_change("UPDATE feed SET topics = topics >> 1, order_ref = (SELECT order_ref FROM request_keys WHERE key = 'F2')")
    assert ("91_feed_orders", "F2") in found
    alone.assert_ledger_holds()


# The program


def test_its_options_are_checked(alone, folder):
    def run(*arguments):
        return subprocess.run(
            [program("loyalty-feed"), *arguments], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20
        )

    assert run("--help").returncode == 0 and "--move-every-ms" in run("--help").stdout
    assert run("--version").stdout.startswith("loyalty-feed ")
    url = ("--database", alone.database)
    (folder / "feed.conf").write_text("listen = tcp://0.0.0.0:*\n")
    assert "--insecure" in run(*url, "--config", str(folder / "feed.conf")).stderr, "the file counts"
    assert run(*url, "--config", str(folder / "feed.conf"), "--log", "loud").returncode == 2
    for wrong in ((), ("--listen",), (*url, "--lease-ms", "5"), (*url, "--what", "1"), (*url, "x"), (*url, "--log", "loud"), ("--database", "postgresql://a:b@c/d"), (*url, "--config", str(folder / "none"))):
        done = run(*wrong)
        assert done.returncode == 2 and done.stderr, wrong
    refused = run(*url, "--listen", "tcp://0.0.0.0:*")
    assert refused.returncode == 1 and "--insecure" in refused.stderr


def test_without_a_database_it_waits_and_then_leads(alone):
    """It is bound at once, and no fault of the database ends it."""
    pid = alone.processes()["feed-1"]
    epoch = state(alone)[0]
    alone.kill_process("postgresql")
    wait_until(lambda: "stands by: " in alone.logs(None), SOON_S, "it to stand by")
    wait_until(lambda: can_read(alone) and state(alone)[0] > epoch, SOON_S, "it to lead again")
    assert process_exists(pid) and alone.processes()["feed-1"] == pid


def can_read(engine):
    try:
        return engine.query("SELECT 1")
    except psycopg2.OperationalError:
        return False
