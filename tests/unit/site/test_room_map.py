from pathlib import Path

from letterpress.site.room_map import promise, render_room_map, rooms

PAGE = Path(__file__).resolve().parents[3] / "docs" / "rooms.md"


def test_every_room_says_what_lives_there() -> None:
    assert [room.name for room in rooms() if len(promise(room)) < 20] == []


def test_the_page_shows_the_rooms_as_they_are_in_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_room_map(), "run `make docs`"
