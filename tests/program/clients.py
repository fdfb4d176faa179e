"""The real clients, run as programs out of an environment of their own (``make .venv-clients``)."""

import json
import os
import subprocess
from pathlib import Path

from servers.requirement import MissingError

FOLDER = Path(__file__).parents[2] / ".venv-clients"


class Clients:
    """Runs the clients of OpenStack against one server."""

    def __init__(self, url, folder):
        if not (FOLDER / ".made").exists():
            raise MissingError("the clients of OpenStack", "make .venv-clients/.made")
        self.url = url
        self.folder = folder
        names = ("OS_", "VITRAGE_", "IRONIC_", "http_proxy", "https_proxy")
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(names)
        } | {"HOME": str(folder), "no_proxy": "*", "LC_ALL": "C.UTF-8"}

    def run(self, program, *arguments, text=None, env=None):
        return subprocess.run(
            [str(FOLDER / "bin" / program), *arguments],
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            env=self.environment | (env or {}),
            cwd=self.folder,
            check=False,
            timeout=120,
        )

    def vitrage(self, *arguments, how=("--os-auth-type", "none")):
        return self.run("vitrage", *how, "--endpoint", self.url, *arguments)

    def openstack(self, *commands, env=None):
        """Run commands in one session, which takes a tenth of the time."""
        auth = {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": self.url}
        return self.run("openstack", text="\n".join(commands) + "\n", env=auth | (env or {}))

    def documents(self, *commands, env=None):
        """Run commands whose output is JSON, in one session; a document for each that shows one."""
        done = self.openstack(*(f"{command} -f json" for command in commands), env=env)
        assert not done.stderr, done.stderr
        found, text, decoder = [], done.stdout.strip(), json.JSONDecoder()
        while text:
            document, end = decoder.raw_decode(text)
            found.append(document)
            text = text[end:].strip()
        assert len(found) == len(commands), done.stdout
        return found
