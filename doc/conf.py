"""How the documentation is built: ``sphinx-build -W -n -b html doc doc/build/html``."""

from __future__ import annotations

import builtins
import importlib.metadata
import importlib.util
import pathlib
import sys
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent

sys.path.insert(0, str(HERE))  # rest_api

project = "servicegroup"
release = version = importlib.metadata.version("servicegroup")
language = "en"

extensions = ["sphinx.ext.autodoc", "oslo_config.sphinxext", "myst_parser", "rest_api"]
exclude_patterns = [
    "build",
    "benchmarks.md",
    "reliability-figures.md",
]  # the latter are included by pages
GIT = HERE.parent / ".git"
has_history = GIT.is_dir() and not (GIT / "shallow").exists()
if has_history and importlib.util.find_spec("reno") is not None:
    extensions.append("reno.sphinxext")
else:  # release notes are read out of the whole history, which a tarball does not have
    exclude_patterns.append("reference/release-notes.rst")

html_theme = "alabaster"
html_theme_options = {
    "description": "Know which daemons of a fleet are alive, and why one is not",
    "fixed_sidebar": True,
    "page_width": "1100px",
    "sidebar_width": "240px",
    "show_relbars": True,
}
html_show_copyright = False
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

nitpicky = True
#: There is no network where this is built, hence no inventory of other projects.
nitpick_ignore_regex = [
    (r"py:.*", r"(abc|collections|contextlib|datetime|enum|pathlib|threading|types|typing)\..*"),
    (r"py:.*", r"(cfg|numpy|oslo_config|oslo_db|sqlalchemy|hypothesis|pytest)\..*"),
    (r"py:class", r"servicegroup\.synchronizer\..*\.(R|_Acknowledged)"),
]


def skip(*arguments: Any) -> bool | None:
    """Leave out what says nothing: the fields of named tuples one by one."""
    words = getattr(arguments[3], "__doc__", None) or ""
    return True if words.startswith("Alias for field number") else None


def resolve(app: Any, env: Any, node: Any, text: Any) -> Any:
    """Find what a docstring calls by its bare name under the name it is documented by."""
    if node.get("refdomain") != "py" or hasattr(builtins, node["reftarget"]):
        return None
    domain, ending = env.domains.python_domain, f".{node['reftarget']}"
    found = [
        name for name, one in domain.objects.items() if name.endswith(ending) and not one.aliased
    ]
    if len(found) != 1:
        return None
    kind, place = node["reftype"], node["refdoc"]
    return domain.resolve_xref(env, place, app.builder, kind, found[0], node, text)


def setup(app: Any) -> None:
    """Register the hooks above."""
    app.connect("autodoc-skip-member", skip)
    app.connect("missing-reference", resolve)
