"""The database's roles have the rights that their programs use and no others.

What a role may do is derived here from the statements that its programs run: a right that no statement uses fails the
test, and so does a statement without its right. Then every other thing is tried, table by table as the catalog lists
them, and has to be refused.
"""

import pathlib
import re

import psycopg2
import pytest

from harness import ROOT, Engine

RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
REFUSED = "42501"  # insufficient_privilege
NOT_OF_VIEWS = ("55000", "42809", "0A000")  # object_not_in_prerequisite_state, wrong_object_type, feature_not_supported: nobody can do that to a view
ROLES = ("loyalty_worker", "loyalty_feed", "loyalty_sync", "loyalty_collector", "loyalty_fsck")
USERS = {"engine": "loyalty_worker", "feed": "loyalty_feed", "fsck": "loyalty_fsck"}

# What every program asks when it connects: the version of the schema, and what the database was made with.
EVERYONE = {("schema_state", "SELECT"), ("settings", "SELECT")}


def sql_of(path):
    """The SQL in a C source's string literals, joined as the compiler joins them."""
    text = re.sub(r"/\*.*?\*/", "", (ROOT / path).read_text(), flags=re.S)
    for name, columns in re.findall(r'#define (\w+) +"(.*)"', text):
        text = re.sub(rf'" {name} *"?', f"{columns} ", text)
    return re.sub(r'"\s*\\?\s*"', "", text)


def assigned(assignments):
    """The columns of "a = 1, b = f(c, d)"."""
    depth, start, parts = 0, 0, []
    for at, letter in enumerate(assignments):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(assignments[start:at])
            start = at + 1
    return {part.split("=")[0].strip() for part in [*parts, assignments[start:]]}


def used_by(sql, tables):
    """(table, right) of what the statements do; ("table.column", "UPDATE") for the columns that they change."""
    used = set()
    for statement in re.findall(r'"([^"]*)"', sql) if '"' in sql else [sql]:
        for table in re.findall(r"INSERT INTO (\w+)", statement):
            used.add((table, "INSERT"))
        for table in re.findall(r"DELETE FROM (\w+)", statement):
            used |= {(table, "DELETE"), (table, "SELECT")}
        for table in re.findall(r"(?:FROM|JOIN|,) (?:ONLY )?(\w+)\b", re.sub(r"DELETE FROM \w+", "", statement)):
            used.add((table, "SELECT"))
        for table, assignments in re.findall(r"UPDATE (\w+)(?: \w+)? SET (.*?)(?= FROM | WHERE | RETURNING |$)", statement):
            used |= {(f"{table}.{column}", "UPDATE") for column in assigned(assignments)} | {(table, "SELECT")}
        for table, assignments in re.findall(r"INSERT INTO (\w+) .*?DO UPDATE SET (.*?)(?= WHERE | RETURNING |$)", statement):
            used |= {(f"{table}.{column}", "UPDATE") for column in assigned(assignments)} | {(table, "SELECT")}
        for table in re.findall(r"INSERT INTO (\w+) .*?(?:ON CONFLICT|RETURNING)", statement):
            used.add((table, "SELECT"))
    return {(name, right) for name, right in used if name.split(".")[0] in tables}


@pytest.fixture(scope="module")
def engine():
    with Engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def tables(engine):
    """All tables of the schema: name to columns."""
    rows = engine.query(
        "SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum) FROM pg_class c "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') GROUP BY 1"
    )
    assert len(rows) > 30
    return dict(rows)


@pytest.fixture(scope="module")
def allowed(engine, tables):
    """By role: what its programs use."""
    parents = set(tables) - {
        name for (name,) in engine.query("SELECT relname FROM pg_class WHERE relispartition AND relkind IN ('r', 'p')")
    }
    checks = "".join(path.read_text() for path in sorted(pathlib.Path(ROOT, "sql/checks").glob("*.sql")))
    # The tables of the day are made ahead by time zone, too: the function that does it runs as its caller.
    worker = used_by(sql_of("engine/store/statements.h"), parents) | {("time_zones", "INSERT")}
    fsck = used_by(" ".join((sql_of("tools/loyalty/fsck.c") + sql_of("tools/loyalty/fsck_orders.c") + checks).replace('"', " ").split()), parents)
    return {
        "loyalty_worker": EVERYONE | worker,
        "loyalty_feed": EVERYONE,
        "loyalty_sync": EVERYONE,
        "loyalty_collector": EVERYONE,
        # It locks the outbox, against its truncation.
        "loyalty_fsck": EVERYONE | {(name, right) for name, right in fsck if right == "SELECT"} | {("outbox", "SELECT")},
    }


def granted_to(engine, role):
    """What the catalog says that a role may do, itself or through PUBLIC: columns where not the whole table."""
    rows = engine.query(
        "SELECT c.relname, a.attname::text, p.name, has_table_privilege(%(role)s, c.oid, p.name) FROM pg_class c "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS p(name) "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
        "AND has_column_privilege(%(role)s, c.oid, a.attnum, p.name) "
        "UNION ALL SELECT c.relname, NULL, p.name, true FROM pg_class c CROSS JOIN unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']) AS p(name) "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND has_table_privilege(%(role)s, c.oid, p.name)",
        {"role": role},
    )
    return {(f"{table}.{column}" if right == "UPDATE" else table, right) for table, column, right, _ in rows}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_the_rights_that_its_programs_use_and_no_more(engine, allowed, role):
    granted = granted_to(engine, role)
    assert granted - allowed[role] == set(), "granted, and used by no statement"
    assert allowed[role] - granted == set(), "used by a statement, and not granted"


def attempts(table, columns):
    """Statements that need a right on a table, each with what it needs."""
    yield (table, "SELECT"), f"SELECT count(*) FROM {table}"
    yield (table, "INSERT"), f"INSERT INTO {table} DEFAULT VALUES"
    yield (table, "DELETE"), f"DELETE FROM {table}"
    yield (table, "TRUNCATE"), f"TRUNCATE {table} CASCADE"
    yield (table, "ALTER"), f"ALTER TABLE {table} ADD COLUMN more integer"
    yield (table, "DROP"), f"DROP TABLE {table} CASCADE"
    yield (table, "INDEX"), f"CREATE INDEX ON {table} ({columns[0]})"
    yield (table, "TRIGGER"), f"CREATE TRIGGER t BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    for column in columns:
        yield (f"{table}.{column}", "UPDATE"), f"UPDATE {table} SET {column} = DEFAULT"


def refusals(engine, role, statements):
    """Runs each statement as the role, alone, and undoes it: (statement, SQLSTATE or None where it was done)."""
    connection = engine.db()
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION AUTHORIZATION {role}")
            cursor.execute("SET lock_timeout = '5s'")
            connection.commit()
            for statement in statements:
                state = None
                try:
                    cursor.execute(statement)
                except psycopg2.Error as error:
                    state = error.pgcode
                connection.rollback()
                yield statement, state
    finally:
        connection.close()


@pytest.mark.parametrize("role", ROLES)
def test_whatever_else_a_role_tries_on_a_table_is_refused(engine, tables, allowed, role):
    tried = {}
    for table, columns in sorted(tables.items()):
        for need, statement in attempts(table, columns):
            if need not in allowed[role]:
                tried[statement] = need
    done = [tried[statement] for statement, state in refusals(engine, role, tried) if state not in (REFUSED, *NOT_OF_VIEWS)]
    assert done == []
    assert len(tried) > 200


def test_nothing_is_granted_to_everyone_and_nobody_may_hand_on_what_was_granted(engine):
    assert not engine.query(
        "SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants "
        "WHERE table_schema = 'public' AND (grantee = 'PUBLIC' OR (is_grantable = 'YES' AND grantee <> 'loyalty'))"
    )


ELSEWHERE = {  # what no role may do at all
    "CREATE TABLE public.mine (a integer)",
    "CREATE FUNCTION public.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "ALTER SYSTEM SET fsync = off",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/mine'",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_switch_wal()",
    "SELECT setval('order_blocks', 1)",
    "SELECT setval('card_blocks', 1)",
    "SELECT * FROM pg_authid",
    "SET ROLE loyalty",
    "SET SESSION AUTHORIZATION loyalty",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'loyalty' AND pid <> pg_backend_pid()",
}


@pytest.mark.parametrize("user", USERS)
def test_what_no_user_of_the_engine_may_do(engine, user):
    url = engine.database.replace("user=loyalty", f"user={user}")
    assert url != engine.database
    other = engine.db()  # somebody of whom the last one could end a session
    try:
        for statement in sorted(ELSEWHERE):
            connection = psycopg2.connect(url)
            connection.autocommit = True
            try:
                with pytest.raises(psycopg2.Error) as refused, connection.cursor() as cursor:
                    cursor.execute(statement)
                assert refused.value.pgcode == REFUSED, (statement, refused.value)
            finally:
                connection.close()
    finally:
        other.close()


def test_only_fsck_makes_temporary_tables(engine):
    for user in USERS:
        connection = psycopg2.connect(engine.database.replace("user=loyalty", f"user={user}"))
        try:
            with connection.cursor() as cursor:
                if user == "fsck":
                    cursor.execute("CREATE TEMPORARY TABLE mine (a integer)")
                else:
                    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                        cursor.execute("CREATE TEMPORARY TABLE mine (a integer)")
        finally:
            connection.close()


def test_functions_that_do_more_than_their_caller_may_have_a_fixed_search_path(engine):
    functions = engine.query(
        "SELECT p.proname, p.prosecdef, coalesce(p.proconfig::text[], '{}'), p.proacl::text FROM pg_proc p "
        "WHERE p.pronamespace = 'public'::regnamespace"
    )
    assert {name for name, definer, _, _ in functions if definer} >= {"partitions_ensure"}
    for name, definer, settings, rights in functions:
        if definer:
            assert "search_path=public, pg_temp" in settings, name
        assert rights is not None and "{=X" not in rights and ",=X" not in rights, f"everyone may call {name}"


def test_the_programs_run_as_users_of_these_roles(engine):
    assert engine.call("admin.health")["status"] == "ok"
    rows = engine.query(
        "SELECT DISTINCT a.application_name, r.rolname FROM pg_stat_activity a "
        "JOIN pg_auth_members m ON m.member = a.usesysid JOIN pg_roles r ON r.oid = m.roleid WHERE a.application_name LIKE 'loyalty-%'"
    )
    assert ("loyalty-worker read", "loyalty_worker") in rows
    expected = {"loyalty-worker": "loyalty_worker", "loyalty-feed": "loyalty_feed"}
    assert all(expected[name.split()[0]] == role for name, role in rows), rows
    engine.assert_ledger_holds()  # `loyalty fsck` found its own user
    assert engine.up()["fsck_database"].endswith("user=fsck")
    members = engine.query("SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = ANY (%s)", ([*USERS, *ROLES],))
    assert len(members) == len(USERS) + len(ROLES) and not any(more for (more,) in members)
