"""How many files have what in common, for a sentence."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

NAMES, KINDS = 3, 12  # shown at most


@dataclass
class Tally:
    """Counts files by what is said of them, and keeps the names of the first few."""

    counts: Counter[str] = field(default_factory=Counter)
    names: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, name: str) -> None:
        """Count one."""
        self.counts[kind] += 1
        if len(self.names[kind]) < NAMES:
            self.names[kind].append(name)

    def __str__(self) -> str:
        """Return how many there are of each kind, the most frequent first."""
        shown = self.counts.most_common(KINDS)
        words = [f"{count:,} x {kind} ({self._first(kind)})" for kind, count in shown]
        rest = self.counts.total() - sum(count for _, count in shown)
        return "; ".join([*words, f"{rest:,} more"] if rest else words)

    def _first(self, kind: str) -> str:
        names = self.names[kind]
        first = ", ".join(map(repr, names))  # which shows a new line, or what is no UTF-8, as such
        return f"{first}, ..." if self.counts[kind] > len(names) else first
