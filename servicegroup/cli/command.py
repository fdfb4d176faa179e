"""What all commands share: the one ``ServiceGroup``, examples in the help, the exit status."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import cliff.command
import cliff.lister
import cliff.show

from servicegroup import exceptions
from servicegroup.cli.terminal import Terminal

if TYPE_CHECKING:
    from oslo_config import cfg

    from servicegroup import ServiceGroup
    from servicegroup.cli.main import App

#: The exit statuses; a store that did not answer must not look like "no".
YES, NO, USAGE, SILENT = 0, 1, 2, 3
#: An error that nobody foresaw (sysexits' EX_SOFTWARE): neither yes nor no.
FAULT = 70

_NO = (
    exceptions.MemberExists,
    exceptions.NoSuchConductor,
    exceptions.NoSuchHypervisor,
    exceptions.NoSuchNode,
    exceptions.NoSuchService,
)


class UsageError(Exception):
    """The command line cannot mean anything; the message says what would."""


def status_of(error: Exception) -> int:
    """Return the exit status that an error stands for."""
    if isinstance(error, exceptions.DriverUnavailable | exceptions.LivenessUnknown):
        return SILENT
    if isinstance(error, _NO):
        return NO
    if isinstance(error, exceptions.ServiceGroupError | UsageError):
        return USAGE
    return FAULT


class _Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of descriptions and examples."""


class Face(cliff.command.Command):
    """A command of ours. ``examples``: shown at the end of its help.

    ``failure``: the exit status of all own failures, for a command whose status is another's.
    ``outcome``: what to exit with where nothing failed; set by commands that show rows.
    """

    examples: tuple[str, ...] = ()
    failure: int | None = None
    outcome: int = YES

    if TYPE_CHECKING:
        app: App

    def get_epilog(self) -> str:
        """Return the examples, after whatever a plug-in adds.

        Whose command it is, is only asked where that is not plain: cliff reads the metadata of all
        distributions for it, which takes a quarter of the time of a listing.
        """
        plain = type(self).__module__.startswith("servicegroup.") and not [*self._hooks]
        added = "" if plain else super().get_epilog()
        lines = [added, "examples:", *(f"  {line}" for line in self.examples)]
        return "\n".join(line for line in lines if line)

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return a parser that takes no abbreviations: new options must not break scripts."""
        parser = super().get_parser(prog_name)
        parser.formatter_class = _Help
        parser.allow_abbrev = False
        brief_errors(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run, and turn every error into one line and an exit status."""
        try:
            return super().run(parsed_args) or self.outcome
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 - a traceback is for --debug
            status = status_of(error)
            self.app.complain(error, foreseen=status != FAULT)
            return status if self.failure is None else self.failure

    @property
    def conf(self) -> cfg.ConfigOpts:
        """The configuration of this invocation."""
        return self.app.conf

    @property
    def service_group(self) -> ServiceGroup:
        """The one of this invocation, made when first asked for."""
        return self.app.service_group

    @property
    def terminal(self) -> Terminal:
        """Where the output goes."""
        return Terminal(self.app.stdout)

    def say(self, line: str) -> None:
        """Print one line at once, whatever the output is."""
        self.app.stdout.write(line + "\n")
        self.app.stdout.flush()


class Command(Face):
    """A command whose output is its own."""

    def for_each(self, names: Iterable[str], do: Callable[[str], object]) -> int:
        """Do something with each; one that is not there does not keep the others."""
        result = YES
        for name in names:
            try:
                do(name)
            except _NO as error:
                self.app.complain(error, foreseen=True)
                result = NO
        return result


class Lister(Face, cliff.lister.Lister):
    """A command that shows a table of rows."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Show the head of an empty table rather than an empty line."""
        parser = super().get_parser(prog_name)
        parser.set_defaults(print_empty=True)
        return parser

    def _generate_columns_and_selector(
        self, parsed_args: argparse.Namespace, column_names: Sequence[str]
    ) -> tuple[list[str], list[bool] | None]:
        _check_columns(parsed_args.columns, column_names)
        return super()._generate_columns_and_selector(parsed_args, column_names)


class ShowOne(Face, cliff.show.ShowOne):
    """A command that shows the fields of one thing."""

    def _generate_columns_and_selector(
        self, parsed_args: argparse.Namespace, column_names: Sequence[str]
    ) -> tuple[list[str], list[bool] | None]:
        _check_columns(parsed_args.columns, column_names)
        return super()._generate_columns_and_selector(parsed_args, column_names)


def _check_columns(wanted: Sequence[str], known: Sequence[str]) -> None:
    """Refuse a mistyped column: cliff leaves it out in silence if another one is right."""

    def plain(name: str) -> str:
        return name.lower().strip().replace(" ", "_")

    unknown = [name for name in wanted if plain(name) not in map(plain, known)]
    if unknown:
        raise UsageError(f"there is no column {unknown[0]!r}; there are: {', '.join(known)}")


def brief_errors(parser: argparse.ArgumentParser) -> None:
    """Let *parser* say in one line what is wrong, rather than print its whole usage."""

    def error(message: str) -> NoReturn:
        hint = f"see '{parser.prog} --help'"
        parser.exit(USAGE, f"{parser.prog}: error: {message}; {hint}\n")

    parser.error = error  # type: ignore[method-assign]


def option(name: str) -> str:
    """Return the option for a field."""
    return f"--{name.replace('_', '-')}"


def given(parsed_args: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """Return which of the fields are given as options, and as what."""
    found = {name: getattr(parsed_args, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def changed(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields to change.

    :raises UsageError: there are none
    """
    if not fields:
        raise UsageError("nothing to change: give at least one option; --help lists them")
    return fields


def positive(text: str) -> float:
    """Parse a number of seconds above zero, for argparse."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds
