"""A whole keystone in one process, run by the interpreter of its own environment.

Its schema, keys and first user are made by the commands that an operator types, in forks: importing
keystone takes longer than all of them. Arguments: the settings, and the port.
"""

import grp
import os
import pwd
import sys
import traceback
from collections.abc import Callable


def run(main: Callable[[list[str]], object], settings: str, command: list[str]) -> None:
    """Run a command of keystone-manage in a fork, and wait for it."""
    child = os.fork()
    if not child:
        try:
            main(["keystone-manage", "--config-file", settings, *command])
        except BaseException:  # noqa: BLE001 - a fork must not go on
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"keystone-manage {command[0]} failed")


def main() -> None:
    """Make what is not there, and serve."""
    settings, port = sys.argv[1:]
    del sys.argv[1:]  # what is imported now reads them
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = settings

    from keystone.cmd import cli
    from keystone.server import wsgi
    from werkzeug.serving import run_simple

    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    url = f"http://127.0.0.1:{port}/v3"
    for command in (
        ["fernet_setup", "--keystone-user", user, "--keystone-group", group],
        ["db_sync"],
        ["bootstrap", "--bootstrap-public-url", url, "--bootstrap-internal-url", url],
    ):
        run(cli.main, settings, command)
    run_simple("127.0.0.1", int(port), wsgi.initialize_public_application(), threaded=True)


if __name__ == "__main__":
    main()
