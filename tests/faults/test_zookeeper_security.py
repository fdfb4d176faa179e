"""Who may talk to ZooKeeper: digests, SASL and TLS, and what is said to whoever may not."""

import contextlib
import logging
import subprocess
import time
import uuid

import pytest
from kazoo.client import KazooClient
from kazoo.protocol.serialization import SASL
from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE
from servers.fixtures import requirements
from servers.ports import free_ports
from servers.requirement import find_program
from servers.zookeeper import ZooKeeper
from servers.zookeeper_proxy import Proxy

from servicegroup import State
from servicegroup.drivers.zookeeper.client import KAZOO_LOG
from servicegroup.exceptions import ConfigurationError
from servicegroup.testing import Store
from servicegroup.testing.scene import join, listed, seen, state

#: Seconds; below the limit of the store.
SESSION = 1.2

JAAS = """
Server {
    org.apache.zookeeper.server.auth.DigestLoginModule required
    user_nova="right"
    user_ironic="as right";
};
"""


def store(address, root=None, **options):
    options = {"hosts": address, "session_timeout": SESSION, **options}
    options.setdefault("root", root or f"/test-{uuid.uuid4()}")
    return Store("zookeeper", {"servicegroup_zookeeper": options})


class TestAccess:
    def test_no_log_shows_the_password(self, zookeeper, caplog):
        credentials = {"username": "nova", "password": "said-to-nobody"}
        with (
            caplog.at_level(logging.DEBUG, KAZOO_LOG.name),
            store(zookeeper.address, **credentials) as one,
        ):
            join(one.driver())
        assert "Auth(scheme='digest')" in caplog.text
        assert "said-to-nobody" not in caplog.text

    def test_the_nodes_belong_to_the_username(self, zookeeper):
        root = f"/test-{uuid.uuid4()}"
        with (
            store(zookeeper.address, root, username="nova", password="right") as right,
            store(zookeeper.address, root, username="nova", password="wrong") as wrong,
            store(zookeeper.address, root) as nobody,
        ):
            driver = right.driver()
            held = join(driver)
            for refused in (wrong, nobody):
                with pytest.raises(ConfigurationError, match="username or password"):
                    refused.driver().sightings("compute")
                with pytest.raises(ConfigurationError, match="username or password"):
                    join(refused.driver(), "other")
                with pytest.raises(ConfigurationError, match="username or password"):
                    refused.driver().leave([held])
            assert listed(right.driver()) == {"m"}
            assert driver.heartbeat(held.instance_id, [held]) == []

    def test_readers_without_credentials(self, zookeeper):
        root = f"/test-{uuid.uuid4()}"
        known = {"username": "nova", "password": "right", "acl": "world-read"}
        with (
            store(zookeeper.address, root, **known) as right,
            store(zookeeper.address, root) as nobody,
        ):
            driver, reader = right.driver(), nobody.driver()
            held = join(driver)
            assert seen(reader)["m"].member == held
            driver.stop()
            time.sleep(2 * SESSION)
            assert state(nobody, reader) is State.DOWN, "though it cannot note since when"
            with pytest.raises(ConfigurationError):
                reader.leave([held])

    def test_what_lies_above_the_chroot_may_be_closed_to_us(self, zookeeper):
        above = f"/closed-{uuid.uuid4()}"
        admin = KazooClient(zookeeper.address)
        admin.start()
        admin.add_auth("digest", "admin:admin")
        admin.create(above, acl=CREATOR_ALL_ACL)
        admin.create(f"{above}/ours", acl=OPEN_ACL_UNSAFE)
        with store(f"{zookeeper.address}{above}/ours", "/sg") as one:
            driver = one.driver()
            join(driver)
            assert listed(driver) == {"m"}
            assert admin.get_children(f"{above}/ours") == ["sg"]
        admin.stop()
        admin.close()

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"hosts": ""}, "hosts"),
            ({"hosts": "host:port"}, "hosts"),
            ({"hosts": ":2181"}, "hosts"),
            ({"root": "relative"}, "root"),
            ({"root": "/"}, "root"),
            ({"root": "/a//b"}, "root"),
            ({"root": "/a/../b"}, "root"),
            ({"root": "/zookeeper"}, "root"),
            ({"username": "nova"}, "password"),
            ({"password": "secret"}, "username"),
            ({"acl": "creator-all"}, "acl"),
            ({"use_ssl": True, "ca": "/does/not/exist"}, "ca"),
            ({"use_ssl": True, "cert": "/does/not/exist"}, "key"),
            ({"ca": "/does/not/exist"}, "use_ssl"),
        ],
    )
    def test_values_that_cannot_work_are_named(self, options, named):
        with (
            store(options.pop("hosts", "127.0.0.1:1"), **options) as one,
            pytest.raises(ConfigurationError, match=rf"\[servicegroup_zookeeper\].*{named}"),
        ):
            one.driver()


@pytest.fixture(scope="module")
def sasl_server(server_home, tmp_path_factory):
    """Start a server that knows two accounts."""
    folder = tmp_path_factory.mktemp("sasl")
    folder.chmod(0o755)
    (folder / "jaas.conf").write_text(JAAS)
    provider = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
    with requirements():
        server = ZooKeeper(server_home, **{"authProvider.1": provider})
    jaas = f"-Djava.security.auth.login.config={folder / 'jaas.conf'}"
    server.java = (*ZooKeeper.java, jaas)
    with server:
        yield server


@pytest.mark.server("zookeeper")
class TestSASL:
    @pytest.fixture
    def known(self):
        return {"sasl_mechanism": "DIGEST-MD5", "username": "nova", "password": "right"}

    def test_the_nodes_belong_to_the_username(self, sasl_server, known):
        with store(sasl_server.address, "/sasl", **known) as one:
            driver = one.driver()
            held = join(driver)
            assert seen(one.driver())["m"].member == held
            assert driver.heartbeat(held.instance_id, [held]) == []
            (acl,), _ = driver._session._client.get_acls("/sasl/groups/compute/m")
            assert (acl.id.scheme, acl.id.id) == ("sasl", "nova")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"password": "wrong"},
            {"username": "nobody"},
            {"username": "ironic", "password": "as right"},
            {"sasl_mechanism": None},
            {"sasl_mechanism": None, "username": None, "password": None},
        ],
    )
    def test_credentials_that_are_wrong_are_named(self, sasl_server, known, wrong):
        with store(sasl_server.address, "/wrong", **known) as right:
            join(right.driver())
            with (
                store(sasl_server.address, "/wrong", **{**known, **wrong}) as one,
                pytest.raises(ConfigurationError, match=r"_zookeeper\] .*username or password is"),
            ):
                listed(one.driver())
            assert listed(right.driver()) == {"m"}

    def test_a_server_without_sasl_is_told_from_wrong_credentials(self, zookeeper, known):
        with (
            store(zookeeper.address, **known) as one,
            pytest.raises(ConfigurationError, match=r"sasl_mechanism='DIGEST-MD5'.*no SASL"),
        ):
            one.driver()

    def test_a_password_is_needed(self):
        with (
            store("127.0.0.1:1", sasl_mechanism="DIGEST-MD5") as one,
            pytest.raises(ConfigurationError, match=r"sasl_mechanism.*username and password"),
        ):
            one.driver()

    def test_a_connection_that_is_cut_is_authenticated_anew(self, sasl_server, known, eventually):
        with Proxy(sasl_server) as proxy, store(proxy.address, **known) as one:
            driver = one.driver()
            held = join(driver)

            def beats():
                with contextlib.suppress(*driver.client_errors):
                    return driver.heartbeat(held.instance_id, [held]) == []
                return False

            before = proxy.asked.count(SASL.type)
            proxy.cut()
            eventually(beats)
            assert proxy.asked.count(SASL.type) > before

            # As a server does that goes down; and as one does with wrong credentials.
            proxy.hangs_up_at = (SASL.type,)
            before = proxy.asked.count(SASL.type)
            proxy.cut()
            eventually(lambda: proxy.asked.count(SASL.type) > before + 1)
            assert not beats()
            proxy.hangs_up_at = ()
            eventually(beats)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Make a certificate that vouches for itself: key, certificate, and both in one file."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate, both = (folder / name for name in ("key.pem", "cert.pem", "both.pem"))
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-x509"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        [find_program("openssl", "openssl"), "req", *kind, *names, *files],
        check=True,
        capture_output=True,
    )
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    folder.chmod(0o755)
    return key, certificate, both


class TestTLS:
    @pytest.fixture
    def port(self, zookeeper_server, certificate):
        """Start a server that speaks TLS on one more port."""
        (port,) = free_ports(1)
        settings = {
            "secureClientPort": str(port),
            "serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory",
            "ssl.keyStore.location": str(certificate[2]),
            "ssl.keyStore.type": "PEM",
            "ssl.trustStore.location": str(certificate[1]),
            "ssl.trustStore.type": "PEM",
            "ssl.clientAuth": "need",
        }
        zookeeper_server(**settings)
        return port

    def test_members_over_tls(self, port, certificate):
        key, cert, _ = certificate
        options = {"use_ssl": True, "ca": str(cert), "cert": str(cert), "key": str(key)}
        with store(f"localhost:{port}", **options) as one:
            driver = one.driver()
            held = join(driver, attributes={"large": "x" * 60_000})
            assert seen(one.driver())["m"].member == held
            assert driver.heartbeat(held.instance_id, [held]) == []

    def test_a_certificate_that_does_not_fit_is_an_error_that_names_the_options(
        self, port, certificate
    ):
        key, cert, _ = certificate
        known = {"cert": str(cert), "key": str(key)}
        for host, options in (
            ("localhost", known),  # nobody whom we know signed the server's
            ("127.0.0.1", {**known, "ca": str(cert)}),  # it is another host's
        ):
            with (
                store(f"{host}:{port}", use_ssl=True, **options) as one,
                pytest.raises(ConfigurationError, match=r"use_ssl=true.*certificate"),
            ):
                one.driver()
        with store(f"127.0.0.1:{port}", use_ssl=True, verify=False, **known) as one:
            assert listed(one.driver()) == set()

    def test_a_port_without_tls(self, zookeeper):
        with (
            store(zookeeper.address, use_ssl=True) as one,
            pytest.raises((ConfigurationError, OSError), match=r"use_ssl|TLS"),
        ):
            one.driver()

    def test_a_port_with_tls_is_spoken_to_without(self, port):
        with store(f"localhost:{port}") as one, pytest.raises(OSError, match="use_ssl"):
            one.driver()

    def test_a_certificate_of_ours_that_is_missing_is_an_error_that_names_the_options(
        self, port, certificate
    ):
        with (
            store(f"localhost:{port}", use_ssl=True, ca=str(certificate[1])) as one,
            pytest.raises((ConfigurationError, OSError), match=r"use_ssl.*cert"),
        ):
            one.driver()
