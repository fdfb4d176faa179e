"""Errors as the API answers them: a Status with code and reason."""

from typing import Any


class StatusError(Exception):
    """A request that is refused; ``body`` is the Status that the client gets."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata or {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }
        if details:
            self.body["details"] = details


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def not_found(resource: str, name: str) -> StatusError:
    details = {"name": name, "kind": resource.partition(".")[0]}
    return StatusError(404, "NotFound", f'{resource} "{name}" not found', details)


def already_exists(resource: str, name: str) -> StatusError:
    details = {"name": name, "kind": resource.partition(".")[0]}
    return StatusError(409, "AlreadyExists", f'{resource} "{name}" already exists', details)


def conflict(resource: str, name: str, why: str) -> StatusError:
    details = {"name": name, "kind": resource.partition(".")[0]}
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return StatusError(409, "Conflict", message, details)


def stale(resource: str, name: str) -> StatusError:
    why = "the object has been modified; please apply your changes to the latest version"
    return conflict(resource, name, f"{why} and try again")


def invalid(kind: str, name: str, causes: list[tuple[str, str]]) -> StatusError:
    """Refuse an object; *causes*: field and what is wrong with it."""
    words = ", ".join(f"{field}: {what}" for field, what in causes)
    listed = [
        {"reason": "FieldValueInvalid", "message": what, "field": field} for field, what in causes
    ]
    details = {"name": name, "kind": kind, "causes": listed}
    return StatusError(422, "Invalid", f'{kind} "{name}" is invalid: {words}', details)


def gone(message: str, metadata: dict[str, Any] | None = None) -> StatusError:
    return StatusError(410, "Expired", message, metadata=metadata)


def success(details: dict[str, Any]) -> dict[str, Any]:
    """Return the Status of what was done and leaves no object to show."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {**body, "details": details}
