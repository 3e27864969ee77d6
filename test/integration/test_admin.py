"""admin.health and admin.stats: the fields that docs/protocol.md promises, and figures that move."""

from raw_client import RawClient, error_of
from shop import order, refused


def test_health(shared_engine):
    health = shared_engine.call("admin.health")
    assert set(health) == {"status", "version", "schema", "catalog_version", "worker", "database", "time"}
    assert health["status"] == "ok" and health["worker"].startswith("worker-")
    assert health["database"]["server"] and (health["database"]["in_recovery"], health["database"]["timeline"]) == (False, 1)
    assert health["schema"] == shared_engine.query("SELECT version FROM schema_state")[0][0]
    assert health["catalog_version"] == shared_engine.query("SELECT version FROM catalog_state")[0][0]


def test_stats(shared_engine):
    before = shared_engine.call("admin.stats")
    assert {"version", "uptime_ms", "draining", "queue", "counters", "errors", "latency_us", "workers", "clients"} <= set(before)
    assert before["draining"] is False
    for _ in range(10):
        shared_engine.call("order.quote", order(None))
    with refused("invalid_request"):  # what the broker itself refused is counted by its code
        shared_engine.call("order.juggle", {})
    after = shared_engine.call("admin.stats")
    assert after["uptime_ms"] >= before["uptime_ms"]
    assert len(after["workers"]) == 2 and {worker["name"] for worker in after["workers"]} == {"worker-1", "worker-2"}
    moved = {name: value - before["counters"].get(name, 0) for name, value in after["counters"].items() if isinstance(value, int)}
    assert max(moved.values()) >= 10, moved
    assert after["errors"].get("invalid_request", 0) >= 1 + before["errors"].get("invalid_request", 0)


def test_stats_take_no_fields(shared_engine):
    with RawClient(shared_engine.endpoint) as raw:
        for method in ("admin.health", "admin.stats"):
            reply = raw.call(method, {"colour": "red"})
            assert reply["ok"] or error_of(reply)["details"]["path"] == "colour"
