"""The reading room: the component does everything else through routes of its own."""

from components.reading_room.component import reading_room

reading_room()
