"""How many bytes others may make this process hold: of one of them, and of all together.

The server has one for request bodies and one for what provisioner daemons send. A budget only counts; those who hold
the bytes take and give back.
"""

from __future__ import annotations

from collections.abc import Hashable
from weakref import WeakValueDictionary


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


class Budgets:
    """One of `limit` bytes for each holder, which lives while somebody refers to it, such as a share.

    What is taken counts for `parent`, too: no holder can take all that there is for the others.
    """

    def __init__(self, limit: int, parent: Budget) -> None:
        self._limit = limit
        self._parent = parent
        self._budgets: WeakValueDictionary[Hashable, Budget] = WeakValueDictionary()

    def of(self, holder: Hashable) -> Budget:
        found = self._budgets.get(holder)
        if found is None:
            found = self._budgets[holder] = Budget(self._limit, self._parent)
        return found


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
