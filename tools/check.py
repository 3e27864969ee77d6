"""Builds and tests everything, or a part; the last line is `N passed, N failed`.

usage: tools/check [unit|property|sim|integration|chaos|threads|fuzz|lint|long]...

Without a part: the suite plain and under AddressSanitizer and UndefinedBehaviorSanitizer, what has threads under
ThreadSanitizer, clang-tidy and clang-format, each fuzzer for half a minute, a short chaos run. `long` does the same with the long forms.
The numbers are those that Criterion and pytest report; a fuzzer, and a tool of lint, counts as one test each.
"""

import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[1]
PARTS = ("unit", "property", "sim", "integration", "chaos", "threads", "fuzz", "lint")
TWO = 2  # cores
CRITERION = ("unit", "property", "sim")
TOGETHER = ("property", "integration", "chaos")  # these wait more than they work: two files at a time
THREADED = ("test_concurrency.py", "test_limits_at_once.py")  # many requests at once, in both lanes of the workers
GIVES_WAY = "10"  # niceness of what works beside the tests
FUZZ_S, FUZZ_LONG_S = 30, 600
PROGRAM_S, PYTEST_S = 600, 1200  # limits
LONG_TIMES = 10  # the long forms: so many times the limits and seeds
LONG = {"LOYALTY_LONG": "1", "LOYALTY_CHAOS": "long", "LOYALTY_SIM_SEEDS": "20000", "LOYALTY_ROUNDS": "100000"}  # for the tests

BUILDS = {
    "plain": ("build", ["-DLOYALTY_TESTS=ON", "-DLOYALTY_SANITIZE=OFF", "-DLOYALTY_FUZZ=OFF"]),
    "sanitized": ("build-asan", ["-DLOYALTY_TESTS=ON", "-DLOYALTY_SANITIZE=ON", "-DLOYALTY_FUZZ=OFF"]),
    "threads": ("build-threads", ["-DLOYALTY_TESTS=OFF", "-DLOYALTY_THREADS=ON"]),
    "fuzz": (
        "build-fuzz",
        ["-DCMAKE_C_COMPILER=clang", "-DLOYALTY_TESTS=OFF", "-DLOYALTY_SANITIZE=ON", "-DLOYALTY_FUZZ=ON"],
    ),
}


class Results:
    """What passed, failed and was skipped, as it comes in; from several threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.passed = self.failed = 0
        self.skipped = []

    def add(self, name, passed, failed, skipped=(), seconds=0.0, output=""):
        with self.lock:
            self.passed += passed
            self.failed += failed
            self.skipped += [(name, reason) for reason in skipped]
            self.tell(name, passed, failed, skipped, seconds, output)

    @staticmethod
    def tell(name, passed, failed, skipped, seconds, output):
        counts = f"{passed} passed" + (f", {failed} FAILED" if failed else "") + (f", {len(skipped)} skipped" if skipped else "")
        print(f"{name:<36} {counts:<32} {seconds:6.1f} s", flush=True)
        if failed and output:
            print(output.rstrip("\n"), flush=True)

    def end(self):
        """The last lines; returns the exit code."""
        for name, reason in self.skipped:
            print(f"skipped in {name}: {reason}")
        tail = f", {len(self.skipped)} skipped" if self.skipped else ""
        if tail:
            print(f"{self.passed + self.failed + len(self.skipped)} tests in all{tail}")
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


class Running:
    """Programs that run, so that none is left behind when this ends early."""

    lock = threading.Lock()
    processes = set()
    over = False

    @classmethod
    def stop(cls):
        with cls.lock:
            cls.over = True
            for process in cls.processes:
                os.killpg(process.pid, signal.SIGKILL)


def run(command, timeout, env=None):
    """Runs a program with all it starts: (exit code, output). Past its time it is killed, and the code is -1."""
    with Running.lock:
        if Running.over:
            return -1, ""
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", cwd=ROOT,
            env=dict(os.environ, **(env or {})), start_new_session=True,
        )  # fmt: skip
        Running.processes.add(process)
    try:
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return -1, output + f"\nkilled: it took longer than {timeout} s\n"
    finally:
        with Running.lock:
            Running.processes.discard(process)


class BuildFailed(Exception):
    """There is nothing to test."""


def build(kind, *targets, nice=0):
    """Builds one of BUILDS, or some targets of it; returns its folder."""
    name, options = BUILDS[kind]
    folder = ROOT / name
    start = time.monotonic()
    for command in (
        ["cmake", "-S", ".", "-B", str(folder), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo", *options],
        ["ninja", "-C", str(folder), *targets],
    ):
        code, output = run(["nice", "-n", str(nice), *command], 3600)
        if code != 0:
            raise BuildFailed(f"{output}\n{name}: the build failed")
    print(f"{name:<36} {'built':<32} {time.monotonic() - start:6.1f} s", flush=True)
    return folder


def sanitizer_environment():
    return {
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    }


def run_criterion(results, part, folder, label, times):
    """Every Criterion program of a kind; the counts are its own."""
    env = dict(sanitizer_environment(), **(LONG if times > 1 else {}))
    for program in sorted((folder / "bin").glob(f"{part}-*")):
        with tempfile.TemporaryDirectory() as scratch:
            report = pathlib.Path(scratch) / "report.json"
            start = time.monotonic()
            code, output = run([str(program), f"--json={report}", "--jobs", str(TWO)], PROGRAM_S * times, env)
            seconds = time.monotonic() - start
            try:
                counts = json.loads(report.read_text())
                passed, skipped = counts["passed"], counts["skipped"]
                failed = counts["failed"] + counts["errored"]
            except (OSError, ValueError):
                passed, failed, skipped = 0, 1, 0
            if code != 0 and failed == 0:  # it died on its way out
                failed = 1
            reasons = ["switched off in its source"] * skipped
            results.add(label + program.name, passed, failed, reasons, seconds, output)


def run_pytest(results, part, folder, label, times, env, files=()):
    """The tests in Python of test/PART, or those of its files named; the counts are pytest's own."""
    if not list((ROOT / "test" / part).glob("test_*.py")):
        return
    paths = [f"test/{part}/{name}" for name in files] or [f"test/{part}"]
    together = ["-n", str(TWO), "--dist", "loadfile"] if part in TOGETHER else []
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / "report.xml"
        start = time.monotonic()
        code, output = run(
            ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", *together, f"--junitxml={report}", *paths],
            PYTEST_S * times,
            dict(env, LOYALTY_BUILD=str(folder), PYTHONDONTWRITEBYTECODE="1"),
        )
        seconds = time.monotonic() - start
        try:
            suite = xml.parse(report).getroot().find("testsuite")
            skipped = [skip.get("message") or "no reason given" for skip in suite.iter("skipped")]
            failed = int(suite.get("failures")) + int(suite.get("errors"))
            passed = max(0, int(suite.get("tests")) - failed - len(skipped))
        except (OSError, xml.ParseError, AttributeError):
            passed, failed, skipped = 0, 1, []
        if code not in (0, 5) and failed == 0:
            failed = 1
        results.add(f"{label}{part} (pytest)", passed, failed, skipped, seconds, output)


def preload():
    """What lets Python load a sanitized library. Python itself leaks by design; the engine's programs are watched
    by the harness, which does not pass this on."""
    _, path = run(["gcc", "-print-file-name=libasan.so"], 60)
    return {"LD_PRELOAD": path.strip(), "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}


def run_suite(results, parts, kind, times):
    """The tests of these parts, on one build, which is there: Criterion programs named after a part, and pytest files in its folder."""
    folder = ROOT / BUILDS[kind][0]
    label = "" if kind == "plain" else "sanitized "
    env = dict(preload() if kind == "sanitized" else {}, **(LONG if times > 1 else {}))
    for part in parts:
        if part in CRITERION:
            run_criterion(results, part, folder, label, times)
        # Whole engines run once without keys and once with them: both ways, in the time of one.
        keys = {"LOYALTY_CURVE": "1"} if kind == "sanitized" and part == "integration" else {}
        run_pytest(results, part, folder, label, times, dict(env, **keys))


def run_fuzzer(program, seconds):
    """One fuzzer for so long, from its corpus; what it finds anew is thrown away, but for inputs that break it."""
    corpus = ROOT / "test" / "fuzz" / "corpus" / program.name
    dictionary = corpus.with_name(program.name + ".dict")
    with tempfile.TemporaryDirectory() as scratch:
        command = ["nice", "-n", GIVES_WAY, str(program), f"-max_total_time={seconds}", "-timeout=60", "-rss_limit_mb=2048",
                   f"-artifact_prefix={program.parent.parent}/", scratch]  # fmt: skip
        if dictionary.is_file():
            command.append(f"-dict={dictionary}")
        if corpus.is_dir():
            command.append(str(corpus))
        start = time.monotonic()
        code, output = run(command, seconds + 300, sanitizer_environment())
        return program.name, code, output, time.monotonic() - start


def run_fuzz(results, seconds):
    names = sorted(path.stem.replace("_", "-") for path in (ROOT / "test" / "fuzz").glob("fuzz_*.c"))
    if not names:
        return
    folder = build("fuzz", *names, nice=GIVES_WAY)
    programs = [folder / "bin" / name for name in names]
    with concurrent.futures.ThreadPoolExecutor(TWO) as pool:
        for name, code, output, took in pool.map(lambda program: run_fuzzer(program, seconds), programs):
            results.add(name, int(code == 0), int(code != 0), (), took, output)


def sources():
    """The project's C files, not what a build made."""
    folders = ("broker", "clients", "engine", "test", "tools")
    return sorted(str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*.c"))


def tidy_file(path):
    """One file; gives way to the tests that run at the same time."""
    return run(["nice", "-n", GIVES_WAY, "clang-tidy", "-p", "build", "--quiet", path], 1200)


def run_lint(results):
    """clang-format and clang-tidy, on the build named build."""
    files = sources()
    start = time.monotonic()
    code, output = run(["clang-format", "--dry-run", "--Werror", *files], 600)
    results.add("clang-format", int(code == 0), int(code != 0), (), time.monotonic() - start, output)
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(TWO) as pool:
        done = list(pool.map(tidy_file, [path for path in files if not path.startswith("test/fuzz/")]))
    wrong = [output for code, output in done if code != 0]
    results.add("clang-tidy", int(not wrong), int(bool(wrong)), (), time.monotonic() - start, "\n".join(wrong))


def main():
    names = sys.argv[1:]
    if "--help" in names:
        print(__doc__.strip())
        return 0
    wrong = [name for name in names if name not in PARTS + ("long",)]
    if wrong:
        print(f"tools/check: there is no part {wrong[0]}\n\n{__doc__.strip()}", file=sys.stderr)
        return 2
    times = LONG_TIMES if "long" in names else 1
    parts = [part for part in PARTS if part in names]
    everything = not parts
    parts = parts or list(PARTS)
    results = Results()
    start = time.monotonic()
    tests = [part for part in parts if part not in ("threads", "fuzz", "lint")]
    twice = tests if everything else []  # under the sanitizers too, but for the faults: their timing is not a sanitizer's
    twice = [part for part in twice if part != "chaos"]
    fuzz_s = FUZZ_LONG_S if times > 1 else FUZZ_S
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        try:
            if tests or "lint" in parts:
                build("plain")
            # The tests of whole engines wait more than they work: what only works goes on beside them, one after the other.
            works = [beside.submit(run_lint, results)] if "lint" in parts else []
            sanitized = beside.submit(build, "sanitized", nice=GIVES_WAY) if twice else None
            threads = beside.submit(build, "threads", nice=GIVES_WAY) if "threads" in parts else None
            works += [beside.submit(run_fuzz, results, fuzz_s)] if "fuzz" in parts else []
            run_suite(results, tests, "plain", times)
            if twice:
                sanitized.result()
                run_suite(results, twice, "sanitized", times)
            if threads is not None:
                run_pytest(results, "integration", threads.result(), "threads ", times, {}, THREADED)
            for work in works:
                work.result()
        except BaseException:
            Running.stop()
            raise
    print(f"{time.monotonic() - start:.0f} s")
    return results.end()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        sys.exit(main())
    except BuildFailed as failure:
        Running.stop()
        print(failure, "0 passed, 1 failed", sep="\n", flush=True)
        sys.exit(1)
    except BaseException:
        Running.stop()
        raise
