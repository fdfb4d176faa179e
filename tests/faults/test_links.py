"""The proxy between a process and its server: what each fault of it looks like from both ends."""

import socket
import threading
import time

import pytest
from faults.laboratory.link import Link
from servers.ports import LOOPBACK

#: Seconds: more than anything takes that comes at all, and what is waited for what does not come.
PATIENCE, SILENCE = 10.0, 0.3


class Echo:
    """A server that sends back what it is sent, on each connection."""

    def __init__(self):
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self.ended = threading.Semaphore(0)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                pass
        self.ended.release()


@pytest.fixture
def echo():
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def link(echo):
    with Link(LOOPBACK, echo.port) as link:
        yield link


@pytest.fixture
def client(link):
    with connected(link) as client:
        assert echoed(client, b"first") == b"first"
        yield client


def connected(link):
    return socket.create_connection((LOOPBACK, link.port), PATIENCE)


def echoed(client, data):
    client.sendall(data)
    return received(client, len(data))


def received(client, count):
    data = b""
    while len(data) < count:
        part = client.recv(65536)
        if not part:
            break
        data += part
    return data


def silent(client):
    client.settimeout(SILENCE)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(PATIENCE)
    return True


def test_what_passes_is_whole_however_large(client):
    large = bytes(range(256)) * 8192
    threading.Thread(target=client.sendall, args=(large,), daemon=True).start()
    assert received(client, len(large)) == large


def test_an_end_is_passed_on(client, echo):
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    assert echo.ended.acquire(timeout=PATIENCE)


def test_cut(client, link, echo):
    link.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert echo.ended.acquire(timeout=PATIENCE)
    with connected(link) as again:
        assert echoed(again, b"again") == b"again"


def test_refuse(client, link):
    link.refuse()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(OSError, match="reset"), connected(link) as refused:
        refused.recv(1)
    link.heal()
    with connected(link) as again:
        assert echoed(again, b"again") == b"again"


def test_delay(client, link):
    link.delay(SILENCE)
    sent = time.monotonic()
    assert echoed(client, b"late") == b"late"
    assert time.monotonic() - sent >= 2 * SILENCE  # there and back
    link.heal()
    assert echoed(client, b"in order") == b"in order"


def test_a_black_hole_gives_back_what_it_took(client, link):
    link.black_hole()
    client.sendall(b"held")
    assert silent(client)
    link.heal()
    assert received(client, 4) == b"held"


def test_a_black_hole_takes_new_connections(link):
    link.black_hole()
    with connected(link) as client:
        client.sendall(b"held")
        assert silent(client)
        link.heal()
        assert received(client, 4) == b"held"


def test_what_is_dropped_never_arrives(client, link):
    link.drop()
    client.sendall(b"lost")
    with connected(link) as later:
        later.sendall(b"lost too")
        assert silent(client)
        link.heal()
        client.sendall(b"lost as well")
        assert silent(client)
        assert silent(later)
    with connected(link) as again:
        assert echoed(again, b"again") == b"again"


def test_half_open(client, link, echo):
    link.half_open()
    assert echo.ended.acquire(timeout=PATIENCE)
    client.sendall(b"nobody is there")
    assert silent(client)
    with connected(link) as again:
        assert echoed(again, b"again") == b"again"
