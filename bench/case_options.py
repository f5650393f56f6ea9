"""Command line of benchmarks with several cases, each run on the stand-in for EFS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.efs_stand_in.options import KERNEL_READ_AHEAD_KIB, TUNED_READ_AHEAD_KIB

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection


def parse_cases(
    parser: argparse.ArgumentParser, what: str, known: Collection[str]
) -> tuple[argparse.Namespace, list[str], list[int]]:
    """Return the parsed command line, the chosen cases, and the read-aheads in KiB.

    `what` is the name of the option that chooses cases; `known` are all cases, the default.
    """
    parser.add_argument(f"--{what}", default=",".join(known), help="names, with commas between")
    parser.add_argument("--rounds", type=int, default=5, help="2 or more")
    default = f"{KERNEL_READ_AHEAD_KIB},{TUNED_READ_AHEAD_KIB}"
    parser.add_argument("--read-ahead", default=default, help="in KiB, with commas between")
    arguments = parser.parse_args()
    names = getattr(arguments, what).split(",")
    if unknown := set(names) - set(known):
        parser.error(f"--{what}: {', '.join(sorted(unknown))}: there are {', '.join(known)}")
    if arguments.rounds < 2:
        parser.error("--rounds: quartiles need 2 or more")
    return arguments, names, [int(each) for each in arguments.read_ahead.split(",")]
