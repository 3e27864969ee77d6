"""How programs reach a PostgreSQL of the user's own: TLS, and passwords that nobody sees."""

import pathlib
import shutil
import socket
import subprocess

import pytest

from harness import Engine, environment, loyalty, program
from postgres import Servers, user

SECRET = "s3cret-of-the-owner"


def openssl(folder, *arguments):
    done = subprocess.run(["openssl", *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())
    assert done.returncode == 0, done.stdout


def authority(folder, name):
    """A CA: NAME.pem, NAME.key."""
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")


def certificate(folder, ca, host):
    """A server's certificate for one host name: server.pem, server.key."""
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text(f"subjectAltName = DNS:{host}\n")
    openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def server():
    """A server that admits nobody by TCP without TLS and a password; its CA and another one lie beside it."""
    with Servers() as servers:
        server = servers.add()
        server.port = free_port()
        server.init()
        authority(server.folder, "ca")
        authority(server.folder, "other")
        certificate(server.folder, "ca", "localhost")
        for name in ("server.key", "server.pem"):
            path = server.data / name
            path.write_bytes((server.folder / name).read_bytes())
            path.chmod(0o600)
            shutil.chown(path, user().pw_uid, user().pw_gid)
        server.configure(listen_addresses="127.0.0.1", ssl="on", ssl_cert_file="server.pem", ssl_key_file="server.key", password_encryption="scram-sha-256")
        (server.data / "pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        server.start()
        server.query("CREATE DATABASE loyalty", database="postgres")
        server.query(f"ALTER ROLE owner PASSWORD '{SECRET}'", database="postgres")
        yield server


@pytest.fixture
def passfile(folder, monkeypatch):
    """The password in a file that only its owner may read, which the programs find by the environment."""
    path = folder / "passwords"
    path.write_text(f"*:*:*:owner:{SECRET}\n")
    path.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(path))
    return path


def url(server, host="localhost", mode="verify-full", ca="ca"):
    return f"postgresql://owner@{host}:{server.port}/loyalty?sslmode={mode}&sslrootcert={server.folder}/{ca}.pem"


def assert_nobody_sees_it(engine):
    """Neither the process list nor a log nor a file of the data folder has the password."""
    shown = [pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() for pid in [engine.process.pid, *engine.processes().values()]]
    assert not [line for line in shown if SECRET.encode() in line]
    assert SECRET not in engine.logs(None)
    assert not [path for path in engine.data.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_tls_with_the_servers_own_authority_and_a_password_from_a_file(server, passfile):
    with Engine("--database", url(server)) as engine:
        assert engine.call("admin.health")["status"] == "ok"
        rows = server.query(
            "SELECT a.application_name, s.ssl FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.application_name LIKE 'loyalty-%'"
        )
        assert {name.split()[0] for name, _ in rows} >= {"loyalty-worker", "loyalty-feed"} and all(ssl for _, ssl in rows), rows
        engine.assert_ledger_holds()
        assert_nobody_sees_it(engine)


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"ca": "other"}, "certificate verify failed"),
        ({"host": "127.0.0.1"}, "does not match host name"),
        ({"mode": "disable"}, "no pg_hba.conf entry"),
    ],
    ids=["another authority", "another host", "no TLS"],
)
def test_a_server_that_does_not_prove_who_it_is_is_refused(server, passfile, options, complaint):
    done = loyalty("migrate", "--database", url(server, **options), "--json")
    assert done.returncode == 1 and complaint in done.stdout + done.stderr, done
    assert "unavailable" in done.stdout, done.stdout


def test_a_wrong_password_is_explained_and_not_shown(server, folder, monkeypatch):
    path = folder / "passwords"
    path.write_text("*:*:*:owner:wr0ng\n")
    path.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(path))
    done = loyalty("fsck", "--database", url(server))
    assert done.returncode == 1 and "password authentication failed" in done.stderr, done
    assert "wr0ng" not in done.stderr + done.stdout


def test_everything_from_a_service_file(server, folder, monkeypatch, passfile):
    service = folder / "services"
    service.write_text(
        f"[shop]\nhost=localhost\nport={server.port}\ndbname=loyalty\nuser=owner\nsslmode=verify-full\nsslrootcert={server.folder}/ca.pem\n"
        f"passfile={passfile}\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    monkeypatch.delenv("PGPASSFILE")
    assert loyalty("migrate", "--database", "service=shop").returncode == 0
    with Engine("--database", "service=shop") as engine:
        health = engine.call("admin.health")
        assert health["status"] == "ok" and health["database"]["server"] == f"localhost:{server.port}"
        assert_nobody_sees_it(engine)


PASSWORDS = [f"postgresql://owner:{SECRET}@127.0.0.1:1/loyalty", f"postgresql://owner@127.0.0.1:1/loyalty?password={SECRET}", f"host=127.0.0.1 port=1 password={SECRET}"]


@pytest.mark.parametrize("database", PASSWORDS, ids=["user part", "parameter", "keywords"])
@pytest.mark.parametrize("name", ["loyalty-worker", "loyalty-feed", "loyalty migrate", "loyalty fsck"])
def test_a_password_on_a_command_line_is_refused(name, database):
    executable, *command = name.split()
    extra = ["--broker", "tcp://127.0.0.1:1"] if name == "loyalty-worker" else []
    done = subprocess.run(
        [program(executable), *command, *extra, "--database", database], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), timeout=60
    )
    assert done.returncode in (1, 2), done
    assert "PGPASSFILE" in done.stderr and SECRET not in done.stderr + done.stdout, done


def test_a_replicas_password_is_refused_too():
    done = subprocess.run(
        [program("loyalty-worker"), "--broker", "tcp://127.0.0.1:1", "--database", "postgresql://owner@127.0.0.1:1/loyalty", "--replica", PASSWORDS[0]],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), timeout=60,
    )
    assert done.returncode == 2 and "PGPASSFILE" in done.stderr and SECRET not in done.stderr, done
