"""The directive ``rest-api``: the paths of the REST faces, out of the OpenAPI document itself."""

from __future__ import annotations

from typing import Any

from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

from servicegroup.rest.app import ROUTES
from servicegroup.rest.openapi import document


def lines() -> list[str]:
    """Return the page as reStructuredText."""
    described = document(ROUTES)
    by_tag: dict[str, list[str]] = {}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            (tag,) = operation["tags"]
            page = by_tag.setdefault(tag, [])
            page += [f"``{method.upper()} {path}``", f"   {operation['summary']}.", ""]
            if "description" in operation:
                page += [f"   {operation['description']}", ""]
            for parameter in operation["parameters"]:
                if parameter["in"] == "query":
                    page.append(f"   * ``{parameter['name']}``: {parameter['description']}")
            answers = ", ".join(operation["responses"])
            page += ["", f"   Answers: {answers}.", ""]
    found = []
    for tag, page in by_tag.items():
        found += [f".. rubric:: {tag}", "", *page]
    return found


class RestApi(Directive):
    """Put the page where the directive stands."""

    def run(self) -> list[Any]:
        """Parse it in place."""
        from docutils import nodes

        container = nodes.container()
        self.state.nested_parse(StringList(lines(), "openapi"), self.content_offset, container)
        return container.children


def setup(app: Any) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("rest-api", RestApi)
    return {"parallel_read_safe": True}
