"""What ``servicegroup doctor`` says of the synchronizer: plugins, their sources, the baseline.

Whoever has no plugins configured does not use it, and is told of misspelt options alone.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from oslo_config import cfg

from servicegroup import mounts, spelling
from servicegroup.bounded import BoundedCaller
from servicegroup.driver import Finding

if TYPE_CHECKING:  # they need libraries that may be missing
    from .options import Settings

#: Seconds that one source may take to answer.
PATIENCE = 20.0
#: Where SQLite keeps ``user_version``, after these words: https://www.sqlite.org/fileformat.html
_MAGIC, _VERSION_AT = b"SQLite format 3\0", 60


def examine(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Yield what is found. Asks each source once; changes nothing.

    :raises ConfigurationError: values that cannot work
    """
    try:
        from .options import settings as read
    except ImportError as error:
        conf.register_opt(cfg.ListOpt("plugins", default=[]), group="synchronizer")
        if conf.synchronizer.plugins:
            remedy = "pip install 'servicegroup[synchronizer]'"
            yield Finding("synchronizer", False, f"a library is not installed: {error}", remedy)
        return
    settings = read(conf)
    yield from _spelling(conf, settings)
    if not settings.plugins:
        return
    found = [_plugin(conf, settings, name) for name in dict.fromkeys(settings.plugins)]
    yield from found
    if all(one.well for one in found):
        yield from _together(conf, settings)
    if settings.python is not None and shutil.which(settings.python) is None:
        words = f"[synchronizer] python={settings.python}: there is no such program"
        yield Finding("interpreter", False, words, "set it to the path of a Python interpreter")
    yield _baseline(settings.baseline_path)


def _spelling(conf: cfg.ConfigOpts, settings: Settings) -> Iterator[Finding]:
    from .options import GROUP, OPTIONS, list_opts

    # Without plugins none is loaded to hear of its options.
    known = list_opts(settings.plugins) if settings.plugins else [(GROUP, OPTIONS)]
    yield from spelling.findings(conf, known)


def _plugin(conf: cfg.ConfigOpts, settings: Settings, name: str) -> Finding:
    from .errors import PluginError, PluginNotFound
    from .offers import offer
    from .options import group_of

    check = f"plugin {name}"
    try:
        made = offer(conf, settings, name)
    except PluginNotFound as error:
        return Finding(check, False, str(error), "install it, or correct [synchronizer] plugins")
    except PluginError as error:
        remedy = f"correct [synchronizer] plugins or [{group_of(name)}]"
        return Finding(check, False, str(error), remedy)
    caller = BoundedCaller("synchronizer-probe")
    plugin = made.made()
    try:
        said = caller.call(plugin.probe, PATIENCE)
    except PluginError as error:
        return Finding(check, False, str(error), f"correct [{group_of(name)}], or what it names")
    except Exception as error:  # noqa: BLE001 - it is the plugin's
        from .collecting import said as words_of

        remedy = f"see whether it runs, whether this host reaches it, and [{group_of(name)}]"
        return Finding(check, False, f"its source does not answer: {words_of(error)}", remedy)
    finally:
        caller.close()
        plugin.close()
    types = ", ".join(sorted(made.types)) or "nothing that entity_types names"
    return Finding(check, True, f"delivers {types}" + (f"; {said}" if said else ""))


def _together(conf: cfg.ConfigOpts, settings: Settings) -> Iterator[Finding]:
    """Tell what only shows once all are there."""
    from .errors import EntityTypeNotFound, PluginError
    from .offers import offers

    try:
        offers(conf, settings)
    except (PluginError, EntityTypeNotFound) as error:
        yield Finding("plugins", False, str(error), "correct [synchronizer]")


def _baseline(path: Path | None) -> Finding:
    check = "baseline"
    if path is None:
        words = "kept in a temporary file: each start begins with snapshots"
        return Finding(check, True, words)
    kind = mounts.kind(path)
    remedy = "set [synchronizer] baseline_path to a file of this user's on a local disk"
    if kind in mounts.NETWORK:
        return Finding(check, False, f"{path} is on {kind}, a network file system", remedy)
    try:
        words = _state(path)
    except OSError as error:
        return Finding(check, False, f"{path} cannot be used: {error.strerror}", remedy)
    return Finding(check, True, f"{path} {words}")


def _state(path: Path) -> str:
    """Return in what state the file is.

    :raises OSError: it cannot be written
    """
    from .tables import VERSION

    folder = path.parent
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        _demand(folder, os.W_OK | os.X_OK)
        return "will be made at the first start"
    _demand(path, os.R_OK | os.W_OK)
    _demand(folder, os.W_OK | os.X_OK)  # for the files that SQLite puts beside it
    if not head:
        return "is empty"
    if len(head) < 100 or not head.startswith(_MAGIC):
        return "is none of ours: it will be put aside, and every consumer gets a snapshot"
    (version,) = struct.unpack_from(">I", head, _VERSION_AT)
    if version != VERSION:
        return f"is of version {version}, not {VERSION}: it will be put aside"
    return f"has {path.stat().st_size:,} bytes"


def _demand(path: Path, mode: int) -> None:
    if not os.access(path, mode):
        raise PermissionError(13, "Permission denied", str(path))
