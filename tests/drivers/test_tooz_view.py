"""What a look at a group of tooz's takes, counted."""

from servicegroup.drivers.tooz import layout
from servicegroup.drivers.tooz.entries import Entry, Reader
from servicegroup.drivers.tooz.sight import sightings
from servicegroup.drivers.tooz.view import View
from servicegroup.model import Member

INSTANCES = 50


class Counted(Entry):
    """An entry that counts how often somebody looks whose it is."""

    looks = 0

    @property
    def instance_id(self):
        Counted.looks += 1
        return self[Entry._fields.index("instance_id")]


def test_each_entry_is_looked_at_once_whatever_the_number_of_ends(monkeypatch):
    monkeypatch.setattr(Counted, "looks", 0)
    names = [f"host-{number}" for number in range(INSTANCES)]
    said = {
        layout.instance_name(name): layout.entry("g", 0, [Member("g", name, instance_id=name)])
        for name in names
    }
    entries = [Counted(*one) for one in Reader().read("g", said)]
    notes = {layout.note_name(one): layout.note("g", layout.ENDED, [0, "gone"]) for one in names}
    view = View("g", entries, notes)
    assert view.over == set(names)
    seen = sightings(view, None, ()).members
    assert [one.ended and one.ended.reason for one in seen] == ["gone"] * INSTANCES
    assert Counted.looks == INSTANCES
