"""The program ``servicegroup``: its global options, logging and exit status."""

from __future__ import annotations

import argparse
import difflib
import functools
import importlib.metadata
import io
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cliff.app
import cliff.command
import cliff.commandmanager
from oslo_config import cfg

from servicegroup import config
from servicegroup.cli.command import FAULT, USAGE, brief_errors
from servicegroup.cli.terminal import LineFormatter, Terminal, one_line
from servicegroup.exceptions import ConfigurationError

if TYPE_CHECKING:
    from servicegroup import ServiceGroup

LOG = logging.getLogger("servicegroup.cli")

DESCRIPTION = """\
Know which daemons of a fleet are alive, and why one is not.

'servicegroup demo' shows it on this machine; 'servicegroup help COMMAND' has examples.
Configuration: --config-file, else ~/.servicegroup/servicegroup.conf or /etc/servicegroup/
servicegroup.conf; and the environment, such as OS_SERVICEGROUP__DRIVER=db."""

EPILOG = """\
Exit status: 0 done or yes, 1 no, 2 usage or configuration, 3 the store did not answer."""

#: By cliff's count of -v; -q is 0 and concerns the output.
_LEVELS = {0: logging.WARNING, 1: logging.WARNING, 2: logging.INFO}
#: A traceback for an error that we translate anyway.
_NOISY = ("oslo_db.sqlalchemy.exc_filters",)
_BROKEN_PIPE = 141
#: Options of commands that global ones are called like: behind the command they are its own.
_OWN: dict[tuple[str, ...], str] = {("node", "set"): "--driver"}


class App(cliff.app.App):
    """One invocation of the program."""

    NAME = "servicegroup"
    LOG = LOG

    def __init__(self) -> None:
        self._handlers: list[logging.Handler] = []
        super().__init__(
            DESCRIPTION,
            importlib.metadata.version("servicegroup"),
            cliff.commandmanager.CommandManager("servicegroup.cli"),
            deferred_help=True,
        )

    def build_option_parser(
        self,
        description: str | None,
        version: str | None,
        argparse_kwargs: dict[str, object] | None = None,
    ) -> argparse.ArgumentParser:
        """Add our global options to cliff's; no abbreviations: they would catch a command's own."""
        arguments = {
            "allow_abbrev": False,
            "epilog": EPILOG,
            "usage": "%(prog)s [option ...] COMMAND [argument ...]",
            "formatter_class": argparse.RawDescriptionHelpFormatter,
        } | (argparse_kwargs or {})
        parser = super().build_option_parser(description, version, arguments)
        brief_errors(parser)
        _leave_to_commands(parser)
        group = parser.add_argument_group("configuration")
        group.add_argument(
            "--config-file",
            action="append",
            default=[],
            metavar="PATH",
            help="a configuration file; may be repeated, the later one wins",
        )
        group.add_argument(
            "--driver",
            metavar="NAME",
            help="in place of [servicegroup] driver: db, zookeeper, ...",
        )
        group.add_argument(
            "--database",
            metavar="URL",
            help="in place of [servicegroup_database] connection; with a password in it rather "
            "use a file, since others can read command lines",
        )
        return parser

    def configure_logging(self) -> None:
        """Log to stderr, warnings and above unless asked for more; to a file as well if asked."""
        root = logging.getLogger()
        level = _LEVELS.get(self.options.verbose_level, logging.DEBUG)
        root.setLevel(logging.DEBUG if self.options.log_file else level)
        console = logging.StreamHandler(self.stderr)
        console.setLevel(level)
        formatter = LineFormatter(Terminal(self.stderr), tracebacks=self.options.debug)
        console.setFormatter(formatter)
        self._handlers.append(console)
        if self.options.log_file:
            try:
                file = logging.FileHandler(self.options.log_file)
            except OSError as error:
                words = f"--log-file {self.options.log_file} cannot be written: {error.strerror}"
                self.parser.exit(USAGE, f"{self.NAME}: error: {words}\n")
            file.setFormatter(logging.Formatter(self.LOG_FILE_MESSAGE_FORMAT))
            self._handlers.append(file)
        for handler in self._handlers:
            root.addHandler(handler)
        if not self.options.debug:
            for name in _NOISY:
                logging.getLogger(name).setLevel(logging.CRITICAL)

    # -- what commands use --------------------------------------------------------------------

    @functools.cached_property
    def conf(self) -> cfg.ConfigOpts:
        """The configuration: files, environment, and the options above them.

        :raises ConfigurationError: a file that is not there or cannot be understood
        """
        conf = cfg.ConfigOpts()
        files = [f"--config-file={path}" for path in self.options.config_file]
        try:
            conf(files, project=self.NAME, prog=self.NAME)
        except cfg.Error as error:
            raise ConfigurationError(f"{one_line(str(error))}; see --config-file") from error
        config.register(conf)
        if self.options.driver is not None:
            conf.set_override("driver", self.options.driver, config.GROUP)
        if self.options.database is not None:
            config.register_database(conf)
            conf.set_override("connection", self.options.database, config.DATABASE_GROUP)
        return conf

    @functools.cached_property
    def service_group(self) -> ServiceGroup:
        """The one of this invocation; closed at its end."""
        from servicegroup import ServiceGroup

        return ServiceGroup(self.conf)

    def close(self) -> None:
        """Leave all groups and end all threads; idempotent."""
        service_group = self.__dict__.get("service_group")
        if service_group is not None:
            service_group.close()

    def complain(self, error: Exception, *, foreseen: bool) -> None:
        """Say in one line what went wrong; with ``--debug`` also where."""
        debug = bool(self.options.debug)
        if foreseen:
            LOG.error("%s", error, exc_info=error if debug else None)
        else:
            LOG.error(
                "%s: %s (this was not foreseen; --debug shows where)",
                type(error).__name__,
                error,
                exc_info=error if debug else None,
            )

    # -- cliff's hooks ------------------------------------------------------------------------

    def run(self, argv: list[str]) -> int:
        """Run one command, and end quietly where nobody reads its output."""
        try:
            status = super().run(argv)
            self.stdout.flush()
        except BrokenPipeError:
            status = _BROKEN_PIPE
        finally:
            self._end_logging()
        return status

    def run_subcommand(self, argv: list[str]) -> int:
        """Run the command that *argv* names."""
        try:
            factory = self._factory(argv)
        except ImportError as error:
            self.complain(error, foreseen=False)
            return FAULT
        if factory is None:
            return USAGE
        try:
            return super().run_subcommand(argv)
        except SystemExit as exit_:
            if exit_.code == USAGE:
                return getattr(factory, "failure", None) or USAGE
            raise

    def _end_logging(self) -> None:
        for handler in self._handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()
        self._handlers.clear()

    def interact(self) -> None:
        """Show the help: there is no interactive mode."""
        self.parser.print_help(self.stderr)
        raise SystemExit(USAGE)

    def clean_up(
        self,
        cmd: cliff.command.Command,  # noqa: ARG002
        result: int,  # noqa: ARG002
        err: BaseException | None,  # noqa: ARG002
    ) -> None:
        """Close what the command used."""
        self.close()

    def _factory(self, argv: list[str]) -> type[cliff.command.Command] | None:
        words = argv[1:] if argv[0] == "help" else argv
        try:
            return self.command_manager.find_command(words or argv)[0]
        except ValueError:
            names = [name for name, _ in self.command_manager]
            if argv[0] == "help" and any(name.startswith(f"{words[0]} ") for name in names):
                return self.command_manager.find_command(["help"])[0]
            LOG.error("%s; see 'servicegroup --help'", _mistyped(words, names))
            return None


def _mistyped(words: Sequence[str], names: Sequence[str]) -> str:
    if words[0].startswith("-"):
        return f"there is no option {words[0]!r}"
    near = [name for name in names if name.split()[0] == words[0]]
    near = near or difflib.get_close_matches(" ".join(words[:2]), names)
    meant = f", did you mean {' or '.join(map(repr, sorted(near)))}?" if near else ""
    return f"there is no command {' '.join(words)!r}{meant}"


def _leave_to_commands(parser: argparse.ArgumentParser) -> None:
    """Keep *parser*, which looks for global options in the whole line, off a command's own."""
    parse = parser.parse_known_args

    def parse_known_args(args: Sequence[str], namespace: Any = None) -> Any:
        words, held = list(args), []
        for at in range(len(words)):
            option = _OWN.get(tuple(words[at : at + 2]))
            if option is not None:
                own = argparse.ArgumentParser(parser.prog, add_help=False, allow_abbrev=False)
                brief_errors(own)
                own.add_argument(option, dest="values", action="append", default=[])
                found, rest = own.parse_known_args(words[at + 2 :])
                words, held = [*words[: at + 2], *rest], [f"{option}={v}" for v in found.values]
                break
        options, remaining = parse(words, namespace)
        return options, [*remaining, *held]

    parser.parse_known_args = parse_known_args  # type: ignore[method-assign,assignment]


def _prepare_streams() -> None:
    """Let no command fail because of where its output goes, or that it goes nowhere."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # closed: the next file to be opened would take its place
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nowhere, "w" if number else "r"))
    if isinstance(sys.stdout, io.TextIOWrapper):  # names come from other hosts
        sys.stdout.reconfigure(errors="backslashreplace")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    _prepare_streams()
    if not sys.warnoptions:  # what libraries tell who writes programs is not for who runs them
        warnings.simplefilter("ignore")
    return App().run(list(sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    sys.exit(main())
