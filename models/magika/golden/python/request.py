"""Count the words of a text."""

import collections
import sys


def count(text: str) -> collections.Counter[str]:
    """Return how often each word occurs."""
    return collections.Counter(text.lower().split())


for word, times in count(sys.stdin.read()).most_common(10):
    sys.stdout.write(f"{times:6d} {word}\n")
