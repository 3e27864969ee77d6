"""What can be done to an engine beyond a signal to one of its processes: whole clusters killed, disks filled, clocks set."""

import contextlib
import ctypes
import os
import pathlib
import resource
import shutil
import signal
import subprocess

import pytest

from harness import BUILD, process_exists, wait_until

CLONE_NEWNS = 0x20000
FAKETIME = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def children(pid):
    """Processes whose parent it is."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def signal_cluster(engine, number):
    """A signal to every process of PostgreSQL; returns the first one's id."""
    pid = engine.processes()["postgresql"]
    for process in [pid, *children(pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)
    return pid


def kill_cluster(engine):
    """kill -9 of every process of PostgreSQL, as a power cut would be to it."""
    pid = signal_cluster(engine, signal.SIGKILL)
    wait_until(lambda: not process_exists(pid), 10, "the end of PostgreSQL")
    return pid


@contextlib.contextmanager
def small_disk(path, megabytes):
    """A disk of that size at a folder, which only this process and what it starts can see. Skips the test where that
    cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a small file system is mounted, in a mount namespace of the test's own")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        pytest.skip(f"no mount namespace can be made here: {os.strerror(ctypes.get_errno())}")
    options = f"size={megabytes}m,mode=755"
    for command in (["mount", "--make-rprivate", "/"], ["mount", "-t", "tmpfs", "-o", options, "chaos", path]):
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "-l", path])


class Disk:
    """A small disk that can be filled and emptied again."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.filler = self.path / "filler"

    def fill(self):
        """Leaves not a byte."""
        with open(self.filler, "ab") as file:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), size)
        assert shutil.disk_usage(self.path).free == 0

    def empty(self):
        self.filler.unlink()


def preload(engine, library, **variables):
    """Into all programs of an engine that is not started yet, PostgreSQL too."""
    words = [f"{name}={value}" for name, value in variables.items()]
    before = next((word for word in engine.arguments if str(word).startswith("LD_PRELOAD=")), None)
    if before is None:
        engine.arguments = ["env", f"LD_PRELOAD={library}", *words, *engine.arguments]
    else:
        at = engine.arguments.index(before)
        engine.arguments[at : at + 1] = [f"{before}:{library}", *words]


class SlowDisk:
    """Makes PostgreSQL's disk slow: each sync takes so much longer."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.file = self.folder / "delay_ms"
        self.set(0)

    def set(self, delay_ms):
        beside = self.file.with_suffix(".new")
        beside.write_text(f"{delay_ms}\n")
        beside.chmod(0o644)
        beside.rename(self.file)

    def apply(self, engine):
        """Before the engine is started. PostgreSQL's user may not be able to enter the build's folder, so it gets a copy."""
        library = self.folder / "slow_disk.so"
        shutil.copy(BUILD / "lib" / "libslow-disk.so", library)
        library.chmod(0o755)
        preload(engine, library, SLOW_DISK_FILE=self.file)


class Memory:
    """What a process may have of memory. Its data are bounded, not its address space: the allocator reserves far more of that
    than it uses."""

    def __init__(self, pid):
        self.pid = pid

    def bound(self):
        """No more than it has now; what it has it goes on using."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        now_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData:"))
        self.limits = resource.prlimit(self.pid, resource.RLIMIT_DATA)
        resource.prlimit(self.pid, resource.RLIMIT_DATA, (now_kb << 10, self.limits[1]))

    def free(self):
        with contextlib.suppress(ProcessLookupError):  # it had to be started again
            resource.prlimit(self.pid, resource.RLIMIT_DATA, self.limits)


class Clock:
    """The time of day that an engine's processes see, PostgreSQL's too: the real one and some seconds."""

    def __init__(self, folder):
        if FAKETIME is None:
            pytest.skip("libfaketime is not installed (Debian's package faketime)")
        self.file = pathlib.Path(folder) / "clock"
        self.set(0)

    def set(self, seconds):
        beside = self.file.with_suffix(".new")
        beside.write_text(f"{seconds:+d}\n")
        beside.chmod(0o644)
        beside.rename(self.file)

    def apply(self, engine):
        """Before the engine is started."""
        preload(engine, FAKETIME, FAKETIME_TIMESTAMP_FILE=self.file, FAKETIME_NO_CACHE=1, FAKETIME_DONT_FAKE_MONOTONIC=1)
