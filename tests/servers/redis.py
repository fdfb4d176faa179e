"""Private Redis servers."""

import re
import socket
from typing import ClassVar

from servers.process import Server
from servers.requirement import find_program

#: Seconds for one command of a test.
PATIENCE = 10.0
_AGE = """
for _, key in ipairs(redis.call('keys', '*')) do
  local left = redis.call('pttl', key)
  if left >= 0 then
    if left <= tonumber(ARGV[1]) then redis.call('del', key)
    else redis.call('pexpire', key, left - tonumber(ARGV[1])) end
  end
end
"""


class Redis(Server):
    """One Redis that keeps nothing on disk."""

    name = "redis-server"
    stop_within: ClassVar[float] = 5.0

    @classmethod
    def find(cls) -> None:
        find_program("redis-server", "redis-server")

    def command(self) -> list[str]:
        program = str(find_program("redis-server", "redis-server"))
        where = ["--bind", self.host, "--port", str(self.port), "--dir", str(self.folder)]
        return [program, *where, "--save", "", "--appendonly", "no"]

    def ready(self) -> bool:
        return self.ask("PING") == b"+PONG\r\n"

    def ask(self, *words: str) -> bytes:
        """Send one command and return what came first of the answer."""
        parts = [f"*{len(words)}"]
        for word in words:
            parts += [f"${len(word.encode())}", word]
        with socket.create_connection((self.host, self.port), PATIENCE) as client:
            client.sendall("\r\n".join([*parts, ""]).encode())
            return client.recv(65536)

    def flush(self) -> None:
        """Forget everything, at once."""
        assert self.ask("FLUSHALL") == b"+OK\r\n"

    def age(self, seconds: float) -> None:
        """Make everything in it *seconds* older: what would have expired by then is gone."""
        answer = self.ask("EVAL", _AGE, "0", str(round(seconds * 1000)))
        assert re.match(rb"\$-1\r\n", answer), answer
