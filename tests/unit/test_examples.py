"""The Python in the README and in the documentation runs as it stands there."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "doc").glob("*.rst"))]

_FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
#: A comment ``.. not run: why`` ahead of a block takes it out.
_BLOCK = re.compile(
    r"^(?P<not_run>\.\. not run: [^\n]*\n\n)?\.\. code-block:: python\n\n"
    r"(?P<code>(?:   [^\n]*\n|\n)+)",
    re.MULTILINE,
)
_CONFIGURATION = re.compile(r"^\.\. code-block:: ini\n\n((?: +[^\n]*\n|\n)+)", re.MULTILINE)


def examples(page: Path) -> list[str]:
    """Return the blocks of a page: they run one after the other, as one program."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        return _FENCE.findall(text)
    return [
        textwrap.dedent(match["code"]) for match in _BLOCK.finditer(text) if not match["not_run"]
    ]


def pages_with_examples() -> list[Path]:
    return [page for page in PAGES if examples(page)]


@pytest.mark.parametrize("page", pages_with_examples(), ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    program = tmp_path / "example.py"
    program.write_text("\n".join(examples(page)), encoding="utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OS_")},
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        # webob, which oslo.middleware needs, asks for what Python 3.13 has no more.
        "PYTHONWARNINGS": "error,ignore:'cgi' is deprecated:DeprecationWarning",
        "OS_SERVICEGROUP__REPORT_INTERVAL": "1",
        "OS_SERVICEGROUP__SERVICE_DOWN_TIME": "5",
    }
    run = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr


def test_there_are_examples() -> None:
    assert {page.name for page in pages_with_examples()} >= {"README.md", "library.rst"}


def test_no_comment_stands_behind_a_value() -> None:
    """oslo.config, and so every service of OpenStack, takes it for a part of the value."""
    for page in PAGES:
        for block in _CONFIGURATION.findall(page.read_text(encoding="utf-8")):
            assert not re.search(r"=.* #", block), f"{page.name}: {block}"
