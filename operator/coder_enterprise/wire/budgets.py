"""How many bytes others may make this process hold: of one of them, and of all together.

The server has one for request bodies and one for what provisioner daemons send. A budget only counts; those who hold
the bytes take and give back.
"""

from __future__ import annotations


class OverBudget(Exception):
    """The bytes would be too many; none of them are counted."""


class Budget:
    """`limit` in bytes; what is taken counts for `parent`, too."""

    def __init__(self, limit: int, parent: Budget | None = None) -> None:
        self.limit = limit
        self.taken = 0
        self._parent = parent

    def take(self, size: int) -> None:
        """Raises `OverBudget`."""
        if self.taken + size > self.limit:
            raise OverBudget(f"more than {self.limit} bytes")
        if self._parent is not None:
            self._parent.take(size)
        self.taken += size

    def give_back(self, size: int) -> None:
        self.taken -= size
        if self._parent is not None:
            self._parent.give_back(size)


class Share:
    """What one holder has of a budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0

    def resize(self, size: int) -> None:
        """Hold so many bytes. Raises `OverBudget`, and holds as many as before."""
        if size > self.size:
            self._budget.take(size - self.size)
        else:
            self._budget.give_back(self.size - size)
        self.size = size
