"""``servicegroup api``: the REST faces, served."""

from __future__ import annotations

import argparse
import signal
import threading
from types import FrameType

from servicegroup.cli.command import YES, Command, UsageError


class Api(Command):
    """Answer the clients of Vitrage, Ironic and Nova over HTTP.

    The options of [servicegroup_api] say where and for whom. Ends at SIGTERM and SIGINT (Ctrl-C):
    requests that are being answered are finished first.
    """

    examples = (
        "servicegroup api",
        "servicegroup api --port 6385",
        "vitrage --os-auth-type none --endpoint http://127.0.0.1:8999 service list",
        "OS_AUTH_TYPE=none OS_ENDPOINT=http://127.0.0.1:8999 openstack compute service list",
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add where to listen."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--host", help="in place of [servicegroup_api] host")
        parser.add_argument(
            "--port", type=int, help="in place of [servicegroup_api] port; 0 takes a free one"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Serve until told to end."""
        try:
            from servicegroup import rest
            from servicegroup.rest.server import Server
        except ImportError as error:
            raise UsageError(
                f"a library is missing ({error}): pip install 'servicegroup[api]'"
            ) from error
        rest.register_options(self.conf)
        for name in ("host", "port"):
            value = getattr(parsed_args, name)
            if value is not None:
                try:
                    self.conf.set_override(name, value, rest.GROUP)
                except ValueError as error:
                    raise UsageError(f"--{name} {value}: {error}") from error
        settings = rest.api_settings(self.conf)
        settings.check_exposure()
        application = rest.application(self.service_group, settings, self.conf)
        server = Server(application, settings, self.service_group.settings.stop_deadline)

        def end(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
            threading.Thread(target=server.stop, name="servicegroup-api-stop").start()

        before = {one: signal.signal(one, end) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            self.say(f"listening at {server.url}")
            server.serve()
        finally:
            server.stop()
            for signum, handler in before.items():
                signal.signal(signum, handler)
        return YES
