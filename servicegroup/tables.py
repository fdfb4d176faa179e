"""What stands on the tables that a process has beside its driver, or as its driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servicegroup.exceptions import ConfigurationError

if TYPE_CHECKING:
    from servicegroup.door import Door
    from servicegroup.inventory import Inventory
    from servicegroup.process import Process
    from servicegroup.services import Services


def services(process: Process) -> Services:
    """Return the service records.

    :raises ConfigurationError: none are in use
    """
    from servicegroup.services import Services

    door, tables = _tables(process, "are no service records", "[servicegroup] use_records=true")
    return Services(tables, door, process.door, process.observer, process.remove_aside)


def inventory(process: Process) -> Inventory:
    """Return the nodes and hypervisors.

    :raises ConfigurationError: no database is in use
    """
    from servicegroup.db.inventory import SqlInventory

    other = "pass ServiceGroup(conf, inventory=...)"
    door, tables = _tables(process, "is no inventory", other)
    return SqlInventory(tables.database, door.run)


def _tables(process: Process, there: str, other: str) -> tuple[Door, Any]:
    door = process.records
    if door is None:
        raise ConfigurationError(
            f"there {there} beside driver={process.door.name}: set "
            f"[servicegroup_database] connection, or {other}"
        )
    return door, getattr(door.driver, "records")  # noqa: B009 - not every driver has them
