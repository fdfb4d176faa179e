"""The nagios plugin on a real Nagios 4, and on answers that only a broken one gives."""

import http.server
import json
import threading
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from servers.nagios import PASSWORD, USER

from servicegroup.synchronizer import (
    CollectionFailed,
    Deleted,
    Entity,
    Incomplete,
    Rows,
    Unchanged,
)
from servicegroup.synchronizer.plugins.nagios import NagiosPlugin

FLEET = {"web-1": ["HTTP", "Disk space"], "db-1": ["SQL"]}


def flat(items):
    """All that was yielded, one by one."""
    for item in items:
        if isinstance(item, Rows):
            yield from (item.entity(row) for row in item.rows)
        else:
            yield item


def read(items):
    return {(item.type, item.key): item for item in flat(items)}


def states(items):
    return {key: item.state for (_, key), item in read(items).items() if isinstance(item, Entity)}


@pytest.fixture
def plugin(made):
    def plugin(server, **options):
        given = {"url": server.url, "user": USER, "password": PASSWORD} | options
        return made(NagiosPlugin, "nagios", **given)

    return plugin


class TestReal:
    """Each test changes one thing; what is asked before and after is the plugin's own."""

    @pytest.fixture
    def nagios(self, nagios_server):
        server = nagios_server(FLEET)
        server.report("web-1", "Disk space", 2, "all of it used")
        return server

    def test_hosts_and_services_with_their_details(self, nagios, plugin):
        nagios.report("db-1", None, 1, "no answer")
        got = read(plugin(nagios, pending_grace=0).get_all())
        assert {key: item.state for key, item in got.items()} == {
            ("nagios.host", "web-1"): "pending",
            ("nagios.host", "db-1"): "down",
            ("nagios.service", "web-1;HTTP"): "pending",
            ("nagios.service", "web-1;Disk space"): "critical",
            ("nagios.service", "db-1;SQL"): "pending",
        }
        disk = got["nagios.service", "web-1;Disk space"]
        assert disk.parent_key == "web-1"
        assert disk.data["text"] == "all of it used"
        assert abs(disk.timestamp - time.time()) < 60

    def test_only_what_matters_makes_a_difference(self, nagios, plugin):
        """Times of checks move on while nothing happens (P13)."""
        collector = plugin(nagios)
        before = read(collector.get_all())
        checked = nagios.service_status("web-1", "Disk space")["last_check"]
        while nagios.service_status("web-1", "Disk space")["last_check"] == checked:
            nagios.report("web-1", "Disk space", 2, "all of it used")
        assert read(collector.get_all()) == before

    def test_a_change_of_state_is_told_with_its_details(self, nagios, plugin):
        collector = plugin(nagios)
        since = max(
            item.timestamp or 0 for item in flat(collector.get_all()) if type(item) is Entity
        )
        nagios.report("web-1", "Disk space", 1, "most of it used")
        got = read(collector.get_changes(since - 1))
        assert states(got.values()) == {"web-1;Disk space": "warning"}
        assert got["nagios.service", "web-1;Disk space"].data["text"] == "most of it used"

    def test_a_first_result_is_told_though_nagios_calls_it_no_change(self, nagios, plugin):
        collector = plugin(nagios, pending_grace=0)
        list(collector.get_all())
        nagios.report("db-1", "SQL", 0, "answers")
        assert states(collector.get_changes(time.time() + 60)) == {"db-1;SQL": "ok"}
        assert states(collector.get_changes(time.time() + 60)) == {}

    def test_an_acknowledgement_comes_with_the_next_complete_poll(self, nagios, plugin):
        collector = plugin(nagios)
        list(collector.get_all())
        nagios.tell("ACKNOWLEDGE_SVC_PROBLEM;web-1;Disk space;1;0;0;me;known")
        nagios.report("web-1", "HTTP", 0, "written after it")
        disk = read(collector.get_all())["nagios.service", "web-1;Disk space"]
        assert disk.data["acknowledged"] is True

    def test_what_left_the_configuration_is_deleted(self, nagios, plugin):
        collector = plugin(nagios)
        list(collector.get_all())
        nagios.define({"web-1": ["HTTP", "Disk space", "Load"]})
        nagios.reload()
        gone = [item for item in flat(collector.get_changes(time.time())) if type(item) is Deleted]
        assert sorted(item.key for item in gone) == ["db-1", "db-1;SQL"]

    def test_what_is_new_is_pending_at_once(self, nagios, plugin):
        collector = plugin(nagios)
        list(collector.get_all())
        nagios.define(FLEET | {"web-2": []})
        nagios.reload()
        assert states(collector.get_changes(time.time() + 60)) == {"web-2": "pending"}

    def test_pages_make_the_same_picture(self, nagios, plugin):
        nagios.report("web-1", "HTTP", 0, "fine")
        whole = read(plugin(nagios).get_all())
        assert len(whole) == 5
        for size in (1, 2, 3, 4):
            assert read(plugin(nagios, page_size=size).get_all()) == whole

    def test_stopped_it_answers_200_with_nothing(self, nagios, plugin):
        collector = plugin(nagios)
        list(collector.get_all())
        nagios.stop()
        with pytest.raises(Incomplete, match="says nothing at all: Nagios is not running"):
            list(collector.get_all())
        with pytest.raises(Incomplete, match="says nothing at all"):
            list(collector.get_changes(0))

    def test_killed_it_goes_on_to_say_what_was(self, nagios, plugin):
        collector = plugin(nagios, max_age=1)
        nagios.kill()
        deadline = time.monotonic() + 10
        while states(nagios_says(collector)) and time.monotonic() < deadline:
            time.sleep(0.1)
        with pytest.raises(Incomplete, match=r"wrote down nothing new for . s.*it was killed"):
            list(collector.get_all())

    def test_passwords(self, nagios, plugin):
        for wrong in ({"user": "nobody"}, {"password": "wrong"}, {"user": None}):
            with pytest.raises(Incomplete, match=r"refuses user.*\(401\).*user, password.*Basic"):
                list(plugin(nagios, **wrong).get_all())
        with pytest.raises(Incomplete, match=r"refuses user 'nobody'"):
            plugin(nagios, user="nobody").probe()
        assert plugin(nagios).probe() == "Nagios shows 2 hosts"
        url = nagios.url.replace("/nagios/", "/digest/")
        assert read(plugin(nagios, url=url, authentication="digest").get_all())
        with pytest.raises(Incomplete, match=r"refuses user.*\(401\).*authentication.*Digest"):
            list(plugin(nagios, url=url).get_all())

    def test_through_the_synchronizer(self, nagios, synchronizer):
        sync = synchronizer(nagios={"url": nagios.url, "user": USER, "password": PASSWORD})
        services = sync.get_all(["nagios.service"], timeout=30).entities
        assert {one.key: one.state for one in services} == {"web-1;Disk space": "critical"}
        nagios.stop()
        with pytest.raises(CollectionFailed, match=r"plugin nagios: .*Nagios is not running"):
            sync.get_all(["nagios.service"], timeout=30)


def nagios_says(collector):
    try:
        return list(collector.get_all())
    except Incomplete:
        return []


def test_a_reload_that_forgets_changes_nothing(nagios_server, plugin):
    nagios = nagios_server(FLEET, retain=False)
    nagios.report("web-1", "Disk space", 2, "all of it used")
    collector = plugin(nagios)
    list(collector.get_all())
    nagios.reload()
    assert nagios.ask("servicelist")["data"]["servicelist"]["web-1"]["Disk space"] == 1
    got = read(collector.get_all())
    assert got["nagios.service", "web-1;Disk space"] == Unchanged(
        "web-1;Disk space", "nagios.service"
    )
    assert read(collector.get_changes(time.time() + 60)) == {}
    # A process of its own that knows nothing of before does the same ...
    assert states(plugin(nagios).get_all()) == {}
    # ... until that has lasted too long to be due to the reload.
    assert states(plugin(nagios, pending_grace=0).get_all())["web-1;Disk space"] == "pending"


class Fake:
    """Answers what a real Nagios cannot be made to say."""

    def __init__(self):
        self.answers = []
        self.asked = []
        self.result = {"type_code": 0, "query_time": 9000, "program_start": 1000}
        self.result["last_data_update"] = 9000
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                query = parse_qs(urlsplit(self.path).query)
                fake.asked.append({name: values[0] for name, values in query.items()})
                body = fake.answers.pop(0)
                if not isinstance(body, bytes):
                    body = json.dumps({"result": fake.result} | body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def hosts(self, **hosts):
        rows = {name: {"name": name, "status": status} for name, status in hosts.items()}
        self.answers.append({"data": {"hostlist": rows}})

    def services(self, *rows):
        listed = {}
        for host, name, status in rows:
            row = {"host_name": host, "description": name, "status": status}
            listed.setdefault(host, {})[name] = row
        self.answers.append({"data": {"servicelist": listed}})

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class TestImplausible:
    @pytest.fixture
    def fake(self):
        fake = Fake()
        yield fake
        fake.close()

    @pytest.fixture
    def collector(self, fake, plugin):
        return plugin(fake)

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b"<html>log in</html>", r"not the JSON of Nagios.*<html>log in.*url right\?"),
            (b'{"result": {"type_code": 0}, "data": {"hostlist": {"a', "not the JSON of Nagios"),
            (b'{"result": {"type_code": 0}, "data": {"hostlist": {"a": 7}}}', "not the JSON"),
            ({"result": {"type_code": 5, "type_text": "Misc", "message": "so"}}, "'Misc': so"),
            ({"data": {"hostlist": {}}}, "no host at all: name the user in authorized_for_all"),
        ],
    )
    def test_what_is_no_complete_list_deletes_nothing(self, fake, collector, body, words):
        fake.answers = [body]
        with pytest.raises(Incomplete, match=words):
            list(collector.get_all())

    def test_a_reload_between_two_pages(self, fake, collector):
        fake.hosts(a=2)
        items = collector.get_all()
        next(items)
        fake.result = fake.result | {"program_start": 8000}
        fake.services(("a", "s", 2))
        with pytest.raises(Incomplete, match="reloaded while it was asked"):
            list(items)

    def test_many_changes_without_details_are_read_at_once(self, fake, collector):
        names = [f"s{number}" for number in range(50)]
        fake.hosts(a=2)
        fake.services(*(("a", name, 2) for name in names), ("a", "last", 2))
        list(collector.get_all())
        fake.answers = [
            {"data": {"hostlist": {"a": 2}}},
            {"data": {"servicelist": {"a": dict.fromkeys(names, 16)}}},
            {"data": {}},
            {"data": {}},
        ]
        fake.hosts(a=2)
        fake.services(*(("a", name, 16) for name in names))
        fake.asked.clear()
        got = read(collector.get_changes(5.0))
        assert len(fake.asked) == 6
        assert fake.asked[2]["starttime"] == "5"
        assert got.pop(("nagios.service", "a;last")) == Deleted("a;last", "nagios.service")
        assert states(got.values()) == {"a": "up"} | {f"a;{name}": "critical" for name in names}

    def test_few_of_them_one_by_one(self, fake, collector):
        fake.hosts(a=2)
        fake.services(("a", "s", 2), ("a", "t", 2))
        list(collector.get_all())
        fake.answers = [
            {"data": {"hostlist": {"a": 2}}},
            {"data": {"servicelist": {"a": {"s": 16, "t": 2}}}},
            {"data": {}},
            {"data": {}},
        ]
        fake.services(("a", "s", 16))
        fake.asked.clear()
        assert states(collector.get_changes(5.0)) == {"a;s": "critical"}
        assert len(fake.asked) == 5
        assert fake.asked[4]["servicedescription"] == "s"

    @pytest.mark.parametrize("url", [None, "", "monitor.example.org/nagios"])
    def test_no_url(self, made, url):
        with pytest.raises(ValueError, match=r"\[synchronizer_nagios\] url .*http://"):
            made(NagiosPlugin, "nagios", url=url)

    def test_nobody_there(self, fake, plugin):
        collector = plugin(fake, url="http://127.0.0.1:1")
        with pytest.raises(Incomplete, match=r"127\.0\.0\.1:1/statusjson.cgi cannot be asked"):
            list(collector.get_all())
