"""Upgrades without a stop: migrations under running workers, programs that are too old or too new, workers and brokers
that are replaced one by one. What counts is what a user sees: every call of a client answered, and answered `ok`."""

import contextlib
import json
import subprocess
import threading
import time
import uuid

import msgpack
import pytest
import zmq

from harness import Engine, environment, program, wait_until
from shop import order

WAIT_S = 60


class Load:
    """So many clients, each sending one order after the other, until the end of the `with`."""

    def __init__(self, engine, clients=4, timeout=30, **options):
        self.engine, self.timeout, self.options = engine, timeout, options
        self.told, self.failures = {}, []
        self.stopping = threading.Event()
        self.name = f"load-{uuid.uuid4().hex[:8]}"
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(clients)]

    def run(self, number):
        with contextlib.closing(self.engine.client(**self.options)) as client:
            count = 0
            while not self.stopping.is_set():
                count += 1
                order_id = f"{self.name}-{number}-{count}"
                try:
                    self.told[order_id] = client.call("order.process", order(None, order_id=order_id), timeout=self.timeout)
                except Exception as failure:  # noqa: BLE001  told to the test
                    self.failures.append((order_id, failure))

    def orders(self):
        return self.engine.query("SELECT count(*) FROM orders")[0][0]

    def more(self, count=50):
        """Waits until so many further orders are done, whatever is being done to the engine."""
        before = len(self.told)
        wait_until(lambda: self.failures or len(self.told) >= before + count, WAIT_S, "orders going on")
        assert not self.failures, self.failures[:3]

    def __enter__(self):
        self.engine.call("admin.health")  # by a client of the engine's own, the first one, which stays
        self.stored_before = self.orders()
        for thread in self.threads:
            thread.start()
        self.more()
        return self

    def __exit__(self, kind, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(WAIT_S)
        if kind is None:
            assert not self.failures, self.failures[:3]
            assert self.orders() - self.stored_before == len(self.told)
            self.engine.assert_ledger_holds()


@pytest.fixture(scope="module")
def upgraded():
    """One engine for all of these: each leaves it working, though not with the schema that it had."""
    with Engine() as engine:
        yield engine


@pytest.fixture
def migrations(upgraded, folder):
    """A folder of migrations of a release to come: `migrations(sql)` adds the next one and tells its number."""
    version = upgraded.query("SELECT version FROM schema_state")[0][0]

    def add(sql):
        number = version + 1 + len(list(folder.glob("*.sql")))
        (folder / f"{number:04}_test.sql").write_text(sql)
        return number

    add.engine, add.folder, add.version = upgraded, folder, version
    return add


def migrate(migrations):
    done = migrations.engine.command("migrate", "--migrations", migrations.folder)
    assert done.returncode == 0, done.stderr
    return done


def test_a_migration_that_running_workers_survive(migrations):
    engine = migrations.engine
    # New tables and columns, an index, and another type for a column that each batch reads.
    migrations("CREATE TABLE novelties (bucket smallint, number bigint, PRIMARY KEY (bucket, number));")
    migrations("ALTER TABLE loyalty_cards ADD COLUMN novelty text; CREATE INDEX ON loyalty_cards (novelty);")
    last = migrations("ALTER TABLE schema_state ALTER COLUMN compatible_from TYPE bigint;")
    before = engine.processes()
    with Load(engine) as load:
        assert f"schema version {last}" in migrate(migrations).stdout
        load.more()
        assert "up to date" in migrate(migrations).stdout
        load.more()
    assert engine.processes() == before, "no worker was replaced"
    assert "connecting anew" in engine.logs(None), "no statement was prepared again"
    assert engine.query("SELECT version FROM schema_state")[0][0] == last


def test_a_migration_that_waits_for_a_lock_holds_up_nobody(migrations):
    engine = migrations.engine
    migrations("ALTER TABLE orders ADD COLUMN novelty text;")
    with Load(engine) as load, contextlib.closing(engine.db()) as reader:
        reader.cursor().execute("SELECT count(*) FROM orders")  # its transaction keeps a lock until it ends
        with contextlib.ExitStack() as stack:
            done = []
            thread = threading.Thread(target=lambda: done.append(migrate(migrations)))
            thread.start()
            stack.callback(thread.join)
            for _ in range(4):
                time.sleep(0.5)
                load.more(10)
            assert not done
            reader.rollback()
        assert done and done[0].returncode == 0


def test_workers_that_are_too_old_for_the_schema_stop_by_themselves(migrations):
    engine = migrations.engine
    number = migrations.version + 1
    migrations(f"UPDATE schema_state SET compatible_from = version; UPDATE schema_state SET version = {number}, "
               f"compatible_from = {number};")  # fmt: skip
    old = engine.processes()
    with Load(engine, timeout=60):
        done = engine.command("migrate", "--migrations", migrations.folder)
        assert done.returncode == 1 and "install the newer release" in done.stderr, "this program too is too old now"
        for name in ("worker-1", "worker-2"):
            wait_until(lambda name=name: engine.processes()[name] != old[name], WAIT_S, f"{name} to stop")
        wait_until(lambda: engine.call("admin.stats")["workers"] == [], WAIT_S, "the broker to see no worker")
        assert f"needs programs of schema version {number} or newer" in engine.logs(None)
        # Programs that fit are put in their place: here the schema goes back, which is the same to them.
        engine.query("UPDATE schema_state SET compatible_from = 1")
        wait_until(lambda: len(engine.call("admin.stats")["workers"]) == 2, WAIT_S, "workers that may work")


def start_worker(engine, *options, broker=None):
    return subprocess.Popen(
        [program("loyalty-worker"), "--broker", broker or engine.worker_endpoint, "--database", engine.database, *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment())  # fmt: skip


def test_a_worker_that_is_too_new_for_the_schema_does_not_begin(upgraded):
    version, reached = upgraded.call("admin.health")["schema"], upgraded.query("SELECT version FROM schema_state")[0][0]
    upgraded.query("UPDATE schema_state SET compatible_from = 1, version = %s", (version - 1,))
    worker = start_worker(upgraded, "--name", "tomorrow")
    _, said = worker.communicate(timeout=WAIT_S)
    assert worker.returncode == 1
    assert f"the database's schema is version {version - 1}, this program needs {version}: run loyalty migrate" in said
    assert "tomorrow" not in {each["name"] for each in upgraded.call("admin.stats")["workers"]}
    upgraded.query("UPDATE schema_state SET version = %s", (reached,))


def test_a_worker_tells_which_versions_a_broker_speaks(shared_engine):
    """And goes on asking, since the broker may be replaced."""
    context = zmq.Context()
    broker = context.socket(zmq.ROUTER)
    broker.linger = 0
    port = broker.bind_to_random_port("tcp://127.0.0.1")
    worker = start_worker(shared_engine, broker=f"tcp://127.0.0.1:{port}")
    try:
        for _ in range(2):
            assert broker.poll(WAIT_S * 1000)
            peer, control = broker.recv_multipart()
            version, kind, session, _, _, compatible_from = msgpack.unpackb(control)
            assert kind == 1 and 1 <= compatible_from <= version
            broker.send_multipart([peer, msgpack.packb([version + 8, 20, session, 5])])
    finally:
        worker.terminate()
        _, said = worker.communicate(timeout=WAIT_S)
        broker.close(0)
        context.term()
    assert f"speaks version {version + 8} of the worker protocol, this worker {compatible_from} to {version}" in said


# --- one after the other ---


def drain(engine, *options):
    done = engine.command("drain", *options, "--wait", WAIT_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_worker_is_drained_under_load(upgraded):
    requeued = upgraded.call("admin.stats")["counters"]["requeued"]
    with Load(upgraded) as load:
        old = upgraded.processes()["worker-1"]
        assert "drained worker-1" in drain(upgraded, "--worker", "worker-1")
        new = upgraded.wait_for_new("worker-1", old)
        load.more()
        wait_until(lambda: len(upgraded.call("admin.stats")["workers"]) == 2, WAIT_S, "the new worker's session")
        load.more()
    assert new != old
    counters = upgraded.call("admin.stats")["counters"]
    assert counters["requeued"] == requeued, "what it had it answered itself"


def test_all_workers_are_replaced_one_after_the_other_under_load(upgraded):
    old = upgraded.processes()
    with Load(upgraded) as load:
        bench = subprocess.Popen(
            [program("loyalty"), "bench", "--data", str(upgraded.data), "--cards", "100", "--method", "order.quote",
             "--seconds", "6", "--warmup", "0", "--concurrency", "16", "--json"],
            stdout=subprocess.PIPE, text=True, env=environment())  # fmt: skip
        for _ in range(2):
            assert sorted(drain(upgraded, "--rolling").splitlines()) == ["replaced worker-1", "replaced worker-2"]
            load.more()
        said, _ = bench.communicate(timeout=WAIT_S)
        assert json.loads(said)["errors"] == 0, said
    new = upgraded.processes()
    assert all(new[name] != old[name] for name in ("worker-1", "worker-2"))
    assert new["broker"] == old["broker"]


def test_the_only_broker_is_drained_under_load(upgraded):
    old = upgraded.processes()["broker"]
    with Load(upgraded) as load:
        drain(upgraded, "--broker", upgraded.endpoint)
        load.more()
    assert upgraded.processes()["broker"] != old
    assert "draining" in upgraded.logs(None)


def test_one_of_two_brokers_is_drained_under_load():
    with Engine("--brokers", "2") as engine:
        old = engine.processes()
        first, second = engine.endpoint.split(",")
        with Load(engine) as load:
            for endpoint in (first, second):
                drain(engine, "--broker", endpoint)
                load.more()
                wait_until(lambda: engine.processes().keys() == old.keys() and 0 not in engine.processes().values(),
                           WAIT_S, "the broker to be started again")  # fmt: skip
                load.more()
        new = engine.processes()
        assert all(new[name] != old[name] for name in new if name.startswith("broker"))
        assert all(new[name] == old[name] for name in new if name.startswith("worker"))


def test_what_cannot_be_drained_is_told(shared_engine):
    done = shared_engine.command("drain", "--worker", "worker-77")
    assert done.returncode == 1 and "worker-77" in done.stderr
    assert shared_engine.command("drain", "--worker", "a", "--rolling").returncode == 2
    done = shared_engine.command("drain", "--broker", "tcp://127.0.0.1:1", "--wait", 1)
    assert done.returncode == 1
    assert len(shared_engine.call("admin.stats")["workers"]) == 2
