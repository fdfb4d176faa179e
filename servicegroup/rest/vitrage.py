"""Vitrage's service list, as ``vitrage service list`` reads it."""

from __future__ import annotations

import functools
from typing import Any

import falcon

from servicegroup.model import State
from servicegroup.rest.answers import boolean, only, reply
from servicegroup.rest.resource import Resource
from servicegroup.status import MemberStatus, wall_time

#: Writing the time of a join takes a third of a row, and the same members are listed over and over.
_created = functools.lru_cache(maxsize=2**15)(wall_time)


class Services(Resource):
    """``/v1/service``: a bare list, since its client takes nothing else.

    The client's table has no column for the state, so only those that run are in it; ``all=true``
    adds the others, and ``status`` tells which is which.
    """

    policy = {"GET": "service:list"}
    contract = {
        "GET": {
            "query": {"all": ({"type": "boolean"}, "also those that do not run")},
            "answer": "VitrageServices",
        }
    }

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List."""
        only(req, ("all",))
        everybody = boolean(req, "all")
        verdicts = self.view.verdicts
        rows = []
        for status in self.view.members():
            if everybody and status.liveness.state is State.UNKNOWN:
                rows.append(_row(status))  # there is a word for it here
            elif verdicts.is_up(status) or everybody:
                rows.append(_row(status))
        rows.sort(key=_place)
        reply(resp, rows)


def _row(status: MemberStatus) -> dict[str, Any]:
    member, liveness = status.member, status.liveness
    uptime = liveness.since if liveness.state is State.UP else None
    return {
        "name": member.name,
        "process": member.process_id,
        "hostname": member.hostname,
        "created": None if member.started_at is None else _created(member.started_at),
        "status": liveness.state.value,
        "uptime": None if uptime is None else round(uptime, 3),
        "reason": status.reason,
        "group": member.group_id,
        "member": member.member_id,
    }


def _place(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return (row["name"], row["hostname"], row["group"], row["member"])
