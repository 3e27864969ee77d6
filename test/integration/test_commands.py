"""The `loyalty` command: call, load, migrate, top, and what they say when something is wrong."""

import csv
import json
import os
import signal
import subprocess
import threading

import psycopg2
import pytest

import curve
from harness import ROOT, environment, loyalty, program, wait_until

COMMANDS = ["up", "bench", "call", "load", "coupons", "fsck", "job", "events", "top", "migrate", "drain"]


def last_json(done):
    return json.loads(done.stdout.splitlines()[-1])


# The frame


def test_version_and_help():
    assert loyalty("--version").stdout.startswith("loyalty 0.")
    listing = loyalty("--help")
    assert listing.returncode == 0 and all(f"\n  {name} " in listing.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    done = loyalty(name, "--help")
    assert done.returncode == 0 and done.stdout.startswith(f"usage: loyalty {name}")
    assert "--json" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [[], ["fly"], ["call"], ["call", "a", "{}", "c"], ["call", "a", "--nonsense"], ["call", "--endpoint"], ["load"],
     ["up", "--workers", "0"], ["up", "--workers", "x"], ["top", "--once=1"], ["migrate", "x"], ["fsck", "x"],
     ["coupons"], ["coupons", "--program", "1", "--pattern", "A-#"], ["coupons", "x", "--program", "1", "--pattern", "A-#", "--count", "1"],
     ["coupons", "--program", "1", "--pattern", "A-#", "--count", "0"]],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_exits_2(arguments):
    done = loyalty(*arguments)
    assert done.returncode == 2 and "usage: loyalty" in done.stderr and done.stdout == ""


# call


def test_call_prints_the_result_on_one_line(shared_engine):
    done = shared_engine.command("call", "program.list")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1
    assert "programs" in last_json(done)


def test_call_finds_the_engine_by_option_or_environment(shared_engine, folder):
    endpoint, key = shared_engine.endpoint, curve.command_environment()
    assert loyalty("call", "admin.health", "--endpoint", endpoint, env=key).returncode == 0
    assert loyalty("call", "admin.health", env={"LOYALTY_ENDPOINT": endpoint, **key}).returncode == 0
    assert loyalty("call", "admin.health", env={"LOYALTY_DATA": str(shared_engine.data)}).returncode == 0
    done = loyalty("call", "admin.health", "--data", folder)
    assert done.returncode == 1 and last_json(done)["error"]["code"] == "not_found"


def test_call_answers_an_error_as_json_and_exits_1(shared_engine):
    done = shared_engine.command("call", "card.get", '{"card_id": 123456789}')
    assert done.returncode == 1
    error = last_json(done)["error"]
    assert error["code"] == "not_found" and error["message"] and error["retryable"] is False


def test_call_names_the_field_that_is_wrong(shared_engine):
    body = {"order_id": "X", "lines": [{"product_id": 1, "qty": 1, "price_unit": "1"}, {"product_id": 1, "qty": "one", "price_unit": 1}]}
    done = shared_engine.command("call", "order.quote", json.dumps(body))
    assert done.returncode == 1
    error = last_json(done)["error"]
    assert error["code"] == "invalid_request" and error["details"]["path"] == "lines[1].qty"


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1, "a": 2}', "nothing"])
def test_call_refuses_what_is_no_json_object(shared_engine, text):
    for done in (shared_engine.command("call", "order.quote", text), shared_engine.command("call", "order.quote", "-", stdin=text)):
        assert done.returncode == 1 and last_json(done)["error"]["code"] == "invalid_request"


def test_call_sends_numbers_as_they_are_written(shared_engine):
    """A double has 15 digits: more than that must not be rounded on the way."""
    body = '{"order_id": "DIGITS", "lines": [{"product_id": 1, "qty": 1.000, "price_unit": 0.1},' \
           '{"product_id": 1, "qty": 3, "price_unit": 2.10000000000000000000},' \
           '{"product_id": 1, "qty": 1, "price_unit": 99999999.990000000001}]}'  # fmt: skip
    done = shared_engine.command("call", "order.quote", "-", stdin=body)
    # 99999999.990000000001 has more than six decimals: refused, where a double would have rounded it to 99999999.99.
    error = last_json(done)["error"]
    assert error["code"] == "invalid_request" and error["details"]["path"] == "lines[2].price_unit"
    done = shared_engine.command("call", "order.quote", "-", stdin=body.replace("990000000001", "990000000000"))
    assert last_json(done)["amount_total"] == "100000006.39"


def test_call_with_a_key_has_one_effect(shared_engine):
    body = '{"partners": [{"partner_id": 901, "name": "Key"}]}'
    first = shared_engine.command("call", "reference.put", body, "--key", "the-same-key")
    again = shared_engine.command("call", "reference.put", body, "--key", "the-same-key")
    other = shared_engine.command("call", "reference.put", body.replace("Key", "Lock"), "--key", "the-same-key")
    assert first.returncode == 0 and again.returncode == 0
    assert last_json(again) == dict(last_json(first), replayed=True)
    assert other.returncode == 1 and last_json(other)["error"]["code"] == "conflict"


def test_call_gives_up_in_time_where_nobody_listens():
    done = loyalty("call", "admin.health", "--endpoint", "tcp://127.0.0.1:1", "--timeout-ms", "300", timeout=10)
    assert done.returncode == 1 and last_json(done)["error"]["code"] == "unavailable"


# coupons


@pytest.fixture(scope="module")
def coupon_shop(shared_engine):
    shared_engine.call("program.put", {"program_id": 77, "name": "Coupons", "program_type": "coupons", "rules": [{}],
                                       "rewards": [{"discount": 10}]})  # fmt: skip
    return shared_engine


def make_coupons(engine, *arguments, **options):
    return engine.command("coupons", "--program", 77, *arguments, **options)


def rows_of(text):
    return list(csv.reader(text.splitlines()))


def test_coupons_writes_every_number_once_and_in_order(coupon_shop):
    done = make_coupons(coupon_shop, "--pattern", "CMD-########", "--count", 1234, "--part", 100, "--batch", "cmd", "--points", "2.50")
    assert done.returncode == 0 and "batch cmd: 1234 codes, 1234 of them new" in done.stderr
    rows = rows_of(done.stdout)
    assert rows[0] == ["number", "code"] and [int(row[0]) for row in rows[1:]] == list(range(1234))
    codes = [row[1] for row in rows[1:]]
    assert len(set(codes)) == 1234
    checked = coupon_shop.call("coupon.check", {"code": codes[1233]})
    assert (checked["program_id"], checked["points"], checked["state"]) == (77, "2.50", "usable")
    # The same again: nothing is new, and the codes are the same; in other parts too.
    again = make_coupons(coupon_shop, "--pattern", "CMD-########", "--count", 1234, "--part", 500, "--batch", "cmd", "--points", "2.5", "--json")
    assert again.returncode == 0
    answer = last_json(again)
    assert (answer["batch"], answer["count"], answer["made"], answer["output"]) == ("cmd", 1234, 0, None)
    assert again.stdout.splitlines()[:-1] == done.stdout.splitlines()


def test_coupons_into_a_file_that_is_whole_or_not_there(coupon_shop, folder):
    path = folder / "codes.csv"
    done = make_coupons(coupon_shop, "--pattern", 'A"#,########', "--count", 3, "--output", path, "--json")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1
    answer = last_json(done)
    assert (answer["made"], answer["output"], len(answer["batch"])) == (3, str(path), 36)
    assert all(row[1].startswith('A"') and row[1][3] == "," for row in rows_of(path.read_text())[1:])
    refused = make_coupons(coupon_shop, "--pattern", "TOO-#", "--count", 3, "--output", folder / "none.csv", "--json")
    assert refused.returncode == 1
    error = last_json(refused)["error"]
    assert (error["code"], error["details"]["path"]) == ("invalid_request", "pattern")
    assert sorted(one.name for one in folder.iterdir()) == ["codes.csv"]
    nowhere = make_coupons(coupon_shop, "--pattern", "CMD-########", "--count", 3, "--output", folder / "no" / "where.csv", "--json")
    assert nowhere.returncode == 1 and "cannot be written" in last_json(nowhere)["error"]["message"]


def test_coupons_goes_on_after_ctrl_c(coupon_shop, folder):
    path = folder / "codes.csv"
    arguments = ["coupons", "--program", "77", "--pattern", "STOP-########", "--count", "20000", "--part", "50", "--batch", "stop",
                 "--output", str(path), "--data", str(coupon_shop.data)]  # fmt: skip
    process = subprocess.Popen([program("loyalty"), *arguments], stderr=subprocess.PIPE, text=True, env=environment())
    wait_until(lambda: coupon_shop.query("SELECT count(*) FROM coupons WHERE batch = 'stop'")[0][0] > 0, 30, "the first coupons")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "--batch stop goes on from here" in errors
    assert list(folder.iterdir()) == []
    there = coupon_shop.query("SELECT count(*) FROM coupons WHERE batch = 'stop'")[0][0]
    assert 0 < there < 20000
    done = loyalty(*arguments[:7], "--part", "5000", *arguments[9:], "--json")
    assert done.returncode == 0 and last_json(done)["made"] == 20000 - there
    rows = rows_of(path.read_text())
    assert len(rows) == 20001 and len({row[1] for row in rows}) == 20001


def test_coupons_shows_progress_on_a_terminal_only(coupon_shop):
    quiet = make_coupons(coupon_shop, "--pattern", "PIPE-########", "--count", 30, "--part", 10)
    assert "coupons:" not in quiet.stderr
    leader, follower = os.openpty()
    arguments = ["coupons", "--program", "77", "--pattern", "TTY-########", "--count", "30", "--part", "10", "--data", str(coupon_shop.data)]
    done = subprocess.run([program("loyalty"), *arguments], stdout=subprocess.PIPE, stderr=follower, env=environment(), timeout=60)
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 65536):
            shown += chunk
    except OSError:  # EIO: all was read, and nobody holds the other end
        pass
    os.close(leader)
    assert done.returncode == 0 and b"coupons: 30 of 30" in shown


# load


def program_of(number, **fields):
    return dict(
        {
            "program_id": number,
            "name": f"Program {number}",
            "program_type": "loyalty",
            "rules": [{"reward_point_mode": "money", "reward_point_amount": 1}],
            "rewards": [{"discount_mode": "per_point", "discount": "0.01", "required_points": 100}],
        },
        **fields,
    )


def test_load_takes_everything_in_parts_of_any_number(own_engine, tmp_path):
    content = {
        "stores": [{"store_id": 1, "name": "Shop", "time_zone": "Europe/London"}],
        "categories": [{"category_id": 1, "name": "All"}, {"category_id": 2, "name": "Some", "parent_id": 1}],
        "levels": [{"membership_product_id": 10, "name": "Base", "sequence": 0}],
        "products": [{"product_id": n, "name": "Product " + "x" * 150, "category_id": 2} for n in range(1, 12001)],
        "partners": [{"partner_id": n, "name": f"Partner {n}"} for n in range(1, 6002)],
        "programs": [program_of(1), program_of(2, name="Other")],
    }
    path = tmp_path / "shop.json"
    path.write_text(json.dumps(content))
    done = own_engine.command("load", path, "--json")
    assert done.returncode == 0, done.stderr
    assert last_json(done)["catalog_version"] >= 1
    for table, rows in (("products", 12000), ("partners", 6001), ("promotion_programs", 2), ("stores", 1),
                        ("product_categories", 2), ("membership_levels", 1)):  # fmt: skip
        assert own_engine.query(f"SELECT count(*) FROM {table}") == [(rows,)], table
    assert own_engine.query("SELECT count(*) FROM load_parts") == [(0,)]
    assert own_engine.query("SELECT time_zone FROM stores") == [("Europe/London",)]


def test_load_uses_nothing_when_anything_is_wrong(shared_engine, tmp_path):
    path = tmp_path / "shop.json"
    content = {
        "products": [{"product_id": n, "name": "y" * 190} for n in range(50001, 58001)],
        "programs": [program_of(501), program_of(502, date_from="2024-02-01", date_to="2024-01-01")],
    }
    path.write_text(json.dumps(content))
    done = shared_engine.command("load", path, "--json")
    assert done.returncode == 1 and last_json(done)["error"]["code"] == "invalid_request"
    assert shared_engine.query("SELECT count(*) FROM products WHERE product_id > 50000") == [(0,)]
    assert shared_engine.query("SELECT count(*) FROM promotion_programs WHERE program_id > 500") == [(0,)]


@pytest.mark.parametrize("text", ['{"prices": []}', '{"products": {}}', "[]", "{", '{"products": [{"product_id": "one"}]}'])
def test_load_refuses_files_that_are_none(shared_engine, tmp_path, text):
    path = tmp_path / "shop.json"
    path.write_text(text)
    done = shared_engine.command("load", path, "--json")
    assert done.returncode == 1 and last_json(done)["error"]["code"] == "invalid_request"


def test_load_names_a_file_that_is_not_there(shared_engine):
    done = shared_engine.command("load", "/nowhere/shop.json")
    assert done.returncode == 1 and "/nowhere/shop.json" in done.stderr


def test_load_takes_the_example(shared_engine):
    done = shared_engine.command("load", ROOT / "docs" / "examples" / "online-retail" / "loyalty.json")
    assert done.returncode == 0 and "1 programs" in done.stdout, done.stderr
    shared_engine.call("program.delete", {"program_id": 1})


# top


def test_top_shows_the_broker_and_its_workers(shared_engine):
    done = shared_engine.command("top", "--once")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert max(len(line) for line in lines) <= 80, "wider than 80 columns"
    assert any(line.startswith("worker-1 ") and line.endswith("ready") for line in lines)
    assert any(line.startswith("latency   p50 ") for line in lines)
    stats = last_json(shared_engine.command("top", "--json"))
    assert {worker["name"] for worker in stats["workers"]} == {"worker-1", "worker-2"}


# migrate


@pytest.fixture
def empty_database(shared_engine):
    """The URL of a new database beside the engine's."""
    connection = shared_engine.db()
    connection.autocommit = True
    name = f"migrate_{os.getpid()}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name}")
    yield shared_engine.database.replace("/loyalty?", f"/{name}?")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    connection.close()


def run_sql(url, sql):
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def migrations():
    return sorted((ROOT / "sql" / "migrations").glob("*.sql"))


def test_migrate_applies_each_migration_once(empty_database):
    first = loyalty("migrate", "--database", empty_database, "--currency", "GBP", "--time-zone", "Europe/London", "--json")
    assert last_json(first) == {"version_before": 0, "version": len(migrations()), "applied": len(migrations())}
    again = loyalty("migrate", "--database", empty_database, "--json")
    assert last_json(again) == {"version_before": len(migrations()), "version": len(migrations()), "applied": 0}
    rows = run_sql(empty_database, "SELECT version, name, octet_length(checksum) FROM schema_migrations ORDER BY version")
    assert rows == [(number, path.stem, 32) for number, path in enumerate(migrations(), 1)]
    settings = dict(run_sql(empty_database, "SELECT name, value FROM settings"))
    assert settings == {"buckets": "1", "currency": "GBP", "currency_digits": "2", "time_zone": "Europe/London"}


def test_migrate_keeps_the_first_settings(empty_database):
    assert loyalty("migrate", "--database", empty_database, "--buckets", "8").returncode == 0
    assert loyalty("migrate", "--database", empty_database, "--buckets", "8").returncode == 0
    for arguments in (["--buckets", "4"], ["--currency", "GBP"], ["--digits", "3"], ["--time-zone", "Europe/London"]):
        done = loyalty("migrate", "--database", empty_database, *arguments)
        assert done.returncode == 1 and "is fixed at" in done.stderr


def test_migrate_twice_at_once_applies_once(empty_database):
    results = []

    def migrate():
        results.append(loyalty("migrate", "--database", empty_database, "--json"))

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [done.returncode for done in results] == [0] * 4, [done.stderr for done in results]
    assert sorted(last_json(done)["applied"] for done in results) == [0, 0, 0, len(migrations())]


def test_migrate_refuses_a_migration_that_was_changed(empty_database):
    assert loyalty("migrate", "--database", empty_database).returncode == 0
    run_sql(empty_database, "UPDATE schema_migrations SET checksum = decode(repeat('00', 32), 'hex') WHERE version = 1")
    done = loyalty("migrate", "--database", empty_database)
    assert done.returncode == 1 and "conflict" in done.stderr and "0001_" in done.stderr


def test_programs_refuse_a_schema_that_is_too_new_or_too_old(empty_database):
    assert loyalty("migrate", "--database", empty_database).returncode == 0
    run_sql(empty_database, "UPDATE schema_state SET version = 9001")
    assert loyalty("fsck", "--database", empty_database).returncode == 0  # it says that older programs still fit
    run_sql(empty_database, "UPDATE schema_state SET compatible_from = 9000")
    done = loyalty("fsck", "--database", empty_database)
    assert done.returncode == 1 and "install the newer release" in done.stderr
    assert loyalty("migrate", "--database", empty_database).returncode == 1
    run_sql(empty_database, "UPDATE schema_state SET compatible_from = 1, version = 1")
    done = loyalty("fsck", "--database", empty_database)
    assert done.returncode == 1 and "run loyalty migrate" in done.stderr


def test_a_migration_that_fails_leaves_nothing_of_itself(empty_database):
    run_sql(empty_database, "CREATE TABLE orders (in_the_way integer)")
    done = loyalty("migrate", "--database", empty_database)
    assert done.returncode == 1 and "0001_ledger" in done.stderr and "orders" in done.stderr
    assert run_sql(empty_database, "SELECT to_regclass('loyalty_cards')") == [(None,)]
    run_sql(empty_database, "DROP TABLE orders")
    assert loyalty("migrate", "--database", empty_database).returncode == 0


def test_a_database_without_a_schema_is_said_to_have_none(empty_database):
    done = loyalty("fsck", "--database", empty_database)
    assert done.returncode == 1 and "run loyalty migrate" in done.stderr




def test_bench_measures_with_the_programs_it_is_asked_for(own_engine):
    for programs, options in ((11, ["--programs", 8]), (12, ["--hot-code"]), (13, ["--hot-limit"])):
        done = own_engine.command("bench", "--seconds", 1, "--warmup", 0, "--cards", 20, "--concurrency", 4, *options, "--json")
        result = last_json(done)
        assert done.returncode == 0 and result["errors"] == 0 and result["orders"] > 0, done
        assert len(own_engine.call("program.list", {"state": "active"})["programs"]) == programs
    own_engine.assert_ledger_holds()
