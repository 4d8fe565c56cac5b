"""The map of the rooms: what a body is, and what does not count."""

from __future__ import annotations

from tools.rooms import ROOT, Room, bodies, rooms

SOURCE = '''
def plain():
    """What it does.

    In detail.
    """
    one()
    two()


class Thing:
    async def method(self):
        return 1

    def silent(self):
        """Nothing."""
'''


def test_a_docstring_is_no_part_of_a_body() -> None:
    assert [(length, where.split()[-1]) for length, where in bodies(SOURCE, "x.py")] == [
        (2, "plain"),
        (1, "method"),
        (0, "silent"),
    ]


def test_a_room_is_known_by_its_longest_module_and_body() -> None:
    room = Room(modules=[(301, "long.py"), (10, "short.py")], bodies=[(length, "") for length in range(1, 11)])
    assert room.row == ("2", "311", "301", "1", "9", "10", "long.py")


def test_what_is_generated_does_not_count() -> None:
    found = rooms([ROOT / "wire"])
    assert not any("_pb2" in where for room in found.values() for _, where in room.modules)
