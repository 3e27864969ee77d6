#!/usr/bin/env python3
"""Puts faults into the domain, one at a time, and says which tests notice: a fault that nobody notices is a missing test.

    test/property/mutate.py [--build FOLDER] [NAME …]

Works on a copy of the sources in FOLDER (default: a temporary one), builds only unit-domain and property-domain there, and
prints a Markdown table. Exit 1 when a fault survives, or is not to be found in the source any more.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from faults import FAULTS

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPIED = ("CMakeLists.txt", "engine", "broker", "clients", "sql", "test", "tools")
PROGRAMS = ("unit-domain", "property-domain")
BUILD_S, RUN_S = 900, 300
FAILED = re.compile(r"\[FAIL\] (\w+)::(\w+)")
SHOWN = 3  # tests that are named of those that noticed


def command(*arguments, seconds):
    return subprocess.run(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds, check=False
    )


class Copy:
    """The sources and a build of them, in a folder."""

    def __init__(self, folder):
        self.source, self.build = folder / "source", folder / "build"
        shutil.rmtree(self.source, ignore_errors=True)
        self.source.mkdir(parents=True)
        for name in COPIED:
            original = ROOT / name
            if original.is_dir():
                # Times are not copied: what an earlier run built from a fault is built again.
                ignored = shutil.ignore_patterns("__pycache__", "corpus")
                shutil.copytree(original, self.source / name, ignore=ignored, copy_function=shutil.copyfile)
            else:
                shutil.copyfile(original, self.source / name)
        done = command("cmake", "-S", self.source, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo", seconds=BUILD_S)
        if done.returncode != 0:
            sys.exit(f"cmake failed:\n{done.stdout}")

    def make(self):
        """Builds the tests of the domain: what the compiler says where it refuses."""
        done = command("ninja", "-C", self.build, "-j2", *PROGRAMS, seconds=BUILD_S)
        return None if done.returncode == 0 else done.stdout

    def failing(self):
        """The tests that fail, as suite/test; a program that does not come to its end, as that."""
        names = []
        for program in PROGRAMS:
            try:
                output = command(self.build / "bin" / program, "--jobs", "2", "--timeout", "60", seconds=RUN_S).stdout
            except subprocess.TimeoutExpired:
                output = ""
            names += [f"{suite}/{test}" for suite, test in FAILED.findall(output)]
            if "Synthesis" not in output:
                names.append(f"{program} does not end")
        return names


def try_fault(copy, fault):
    """(whether it was noticed, by whom) of one fault."""
    path = copy.source / "engine" / "domain" / fault.file
    whole = path.read_text(encoding="utf-8")
    if whole.count(fault.right) != 1:
        return False, f"not in {fault.file} any more (or more than once): write it anew"
    try:
        path.write_text(whole.replace(fault.right, fault.wrong), encoding="utf-8")
        refused = copy.make()
        if refused is not None:
            return False, "does not compile: " + refused.strip().splitlines()[-1]
        failing = copy.failing()
    finally:
        path.write_text(whole, encoding="utf-8")
    if not failing:
        return False, "**nobody**"
    more = f" and {len(failing) - SHOWN} more" if len(failing) > SHOWN else ""
    return True, ", ".join(f"`{name}`" for name in failing[:SHOWN]) + more


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, help="where to copy and build")
    parser.add_argument("names", nargs="*", help="faults to try; all without one")
    options = parser.parse_args()
    wrong = set(options.names) - {fault.name for fault in FAULTS}
    if wrong:
        parser.error(f"there is no fault {sorted(wrong)[0]}")
    with tempfile.TemporaryDirectory(prefix="loyalty-mutate-") as scratch:
        copy = Copy(options.build or pathlib.Path(scratch))
        refused = copy.make()
        failing = [] if refused else copy.failing()
        if refused or failing:
            sys.exit("the sources as they are do not pass: " + (refused or ", ".join(failing)))
        print("| fault | file | rule | noticed by |\n| --- | --- | --- | --- |", flush=True)
        survivors = 0
        for fault in FAULTS:
            if options.names and fault.name not in options.names:
                continue
            noticed, by = try_fault(copy, fault)
            survivors += not noticed
            print(f"| {fault.what} | {fault.file} | {fault.rule} | {by} |", flush=True)
    print(f"\n{survivors} survived", file=sys.stderr)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
