"""The program itself, run as a user runs it, on a private SQLite file with short times."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from oslo_config import cfg

#: As installed: the entry point is part of what is tested.
PROGRAM = str(Path(sys.executable).with_name("servicegroup"))
HOST = "node-1"
INTERVAL, DOWN = 0.2, 1.0
#: Nobody listens there.
UNREACHABLE = "postgresql://servicegroup:secret@127.0.0.1:1/servicegroup"


class Cli:
    """Runs ``servicegroup`` in a folder of its own, with an environment of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.config = folder / "servicegroup.conf"
        self.home = folder / "home"  # not the folder itself: files there are read by default
        self.home.mkdir()
        self.configure()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OS_", "CLIFF_", "HOST_HOSTNAME", "NO_COLOR", "XDG_"))
        } | {"HOME": str(self.home), "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"}
        self.started = []

    @property
    def database(self):
        return self.folder / "servicegroup.sqlite"

    def configure(self, database=None, **options):
        settings = {
            "host": HOST,
            "report_interval": INTERVAL,
            "service_down_time": DOWN,
            "poll_interval": 0.1,
            **options,
        }
        lines = [f"{name} = {value}" for name, value in settings.items() if value is not None]
        connection = database or f"sqlite:///{self.database}"
        groups = ["[servicegroup]", *lines, "[servicegroup_database]", f"connection = {connection}"]
        self.config.write_text("\n".join(groups) + "\n")

    def command(self, *arguments):
        return [PROGRAM, "--config-file", str(self.config), *arguments]

    def __call__(self, *arguments, env=None, **options):
        return self.bare("--config-file", str(self.config), *arguments, env=env, **options)

    def bare(self, *arguments, env=None, **options):
        """Run without the configuration file."""
        return subprocess.run(
            [PROGRAM, *arguments],
            capture_output=True,
            text=True,
            env=self.environment | (env or {}),
            cwd=self.folder,
            check=False,
            timeout=60,
            stdin=subprocess.DEVNULL,
            **options,
        )

    def start(self, *arguments, env=None, **options):
        """Start and go on, in a session of its own; ended after the test."""
        files = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            self.command(*arguments),
            text=True,
            env=self.environment | (env or {}),
            cwd=self.folder,
            start_new_session=True,
            **(files | options),
        )
        self.started.append(process)
        return process

    def conf(self):
        conf = cfg.ConfigOpts()
        conf([f"--config-file={self.config}"], project="servicegroup", use_env=False)
        return conf

    def end(self):
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
