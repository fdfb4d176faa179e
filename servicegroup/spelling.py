"""Settings that nobody reads: oslo.config passes over names that it does not know."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from oslo_config import cfg

from servicegroup import config
from servicegroup.driver import Finding

Options = Iterable[tuple[str, Sequence[cfg.Opt]]]
_ENVIRONMENT = "OS_"


class Misspelt(NamedTuple):
    """A name in one of our groups that is no option; *meant* is the nearest that is."""

    place: str
    group: str
    name: str
    meant: str | None


def findings(conf: cfg.ConfigOpts, options: Options) -> Iterator[Finding]:
    """Yield one for each setting that has no effect; see :func:`misspelt`."""
    for one in misspelt(conf, options):
        meant = f"write {one.meant}" if one.meant is not None else "take it out"
        words = f"{one.place}: there is no option {one.name} in [{one.group}], nobody reads it"
        yield Finding("configuration", False, words, meant)


def misspelt(conf: cfg.ConfigOpts, options: Options) -> list[Misspelt]:
    """Return the settings in files and the environment that have no effect.

    :param options: all that there are, by group; what is in other groups is not judged
    """
    known = {
        group: {name for option in of_group for name in _names(option, group)}
        for group, of_group in options
    }
    return [
        Misspelt(place, group, name, _nearest(name, known[group]))
        for place, group, name in [*_in_files(conf), *_in_environment(known)]
        if group in known and name not in known[group]
    ]


def _names(option: cfg.Opt, group: str) -> Iterator[str]:
    yield option.dest
    for old in option.deprecated_opts:
        if old.group in (None, group):
            yield str(old.name or option.dest)


def _in_files(conf: cfg.ConfigOpts) -> Iterator[tuple[str, str, str]]:
    for path in conf.config_file or ():
        sections: dict[str, dict[str, Sequence[str]]] = {}
        cfg.ConfigParser(path, sections).parse()
        for group, settings in sections.items():
            for name in settings:
                yield path, group, name


def _in_environment(known: Mapping[str, set[str]]) -> Iterator[tuple[str, str, str]]:
    for variable in sorted(os.environ):
        for group in known:
            prefix = f"{_ENVIRONMENT}{group.upper()}__"
            if variable.startswith(prefix):
                yield f"environment variable {variable}", group, variable[len(prefix) :].lower()
        # With one underscore it is another program's, or a slip.
        for option in known.get(config.GROUP, ()):
            if variable == f"{_ENVIRONMENT}{config.GROUP}_{option}".upper():
                yield f"environment variable {variable}", config.GROUP, f"_{option}"


def _nearest(name: str, known: set[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, known, 1)), None)
