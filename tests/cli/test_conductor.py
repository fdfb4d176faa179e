"""Conductors, nodes and hypervisors on the command line."""

import json
import sys
import xml.etree.ElementTree as ET

import pytest

DRIVERS = ["ipmi", "redfish"]
NODES = "name,driver,conductor_group,maintenance\nn1,ipmi,,\nn2,redfish,,yes\nn3,ipmi,East,\n"


@pytest.fixture
def rows(inside):
    """Run a command and read its JSON."""

    def rows(*arguments):
        done = inside(*arguments, "-f", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return rows


@pytest.fixture
def conductor(service_group):
    return service_group.conductors.join(hostname="c1:8090", drivers=DRIVERS)


@pytest.fixture
def nodes(inside, tmp_path):
    """Three nodes, imported from CSV."""
    file = tmp_path / "nodes.csv"
    file.write_text(NODES)
    done = inside("node", "import", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "3 nodes added\n", "")


def test_conductors_are_listed(rows, inside, conductor, nodes, service_group):
    short = {"Hostname": "c1:8090", "Conductor Group": "", "Alive": True}
    assert rows("conductor", "list") == [short]
    (long,) = rows("conductor", "list", "--long")
    assert list(long) == [*short, "Drivers", "Last Seen", "Reason", "Nodes"]
    assert (long["Drivers"], long["Nodes"]) == (DRIVERS, 2)
    assert "ipmi, redfish" in inside("conductor", "list", "--long").stdout
    service_group.services.force_down("ironic-conductor", "c1:8090", "fenced")
    assert rows("conductor", "list")[0]["Alive"] is False


def test_a_conductor_is_shown(rows, conductor, nodes):
    one = rows("conductor", "show", "c1:8090", "--nodes")
    assert {"hostname", "conductor_group", "alive", "drivers", "last_seen"} < set(one)
    assert (one["alive"], one["number_of_nodes"]) == (True, 2)
    assert sorted(one["nodes"]) == ["n1", "n2"]
    assert "nodes" not in rows("conductor", "show", "c1:8090")


def test_nodes_are_listed_by_their_conductor(rows, inside, conductor, nodes):
    every = rows("node", "list")
    assert [(one["Name"], one["Conductor"]) for one in every] == [
        ("n1", "c1:8090"),
        ("n2", "c1:8090"),
        ("n3", None),
    ]
    assert [one["Maintenance"] for one in every] == [False, True, False]
    mine = rows("node", "list", "--conductor", "c1:8090", "--long")
    assert [(one["Name"], one["Driver"]) for one in mine] == [("n1", "ipmi"), ("n2", "redfish")]
    (last,) = rows("node", "list", "--limit", "1", "--marker", every[1]["UUID"])
    assert last["Name"] == "n3"
    names = rows("node", "list", "--sort", "name", "--descending")
    assert [one["Name"] for one in names] == ["n3", "n2", "n1"]
    assert len(rows("node", "list", "--limit", "9" * 20)) == 3
    assert inside("node", "list", "--limit", "0").returncode == 2
    assert inside("node", "list", "--sort", "colour").returncode == 2


def test_a_node_says_what_is_missing(rows, nodes, conductor):
    one = rows("node", "show", "n3")
    assert one["conductor"] is None
    assert one["conductor_group"] == "east"
    assert "driver 'ipmi' is served in the default conductor group" in one["reason"]
    assert rows("node", "show", "n1")["conductor"] == "c1:8090"


def test_nodes_are_made_and_removed(rows, inside, conductor):
    one = rows("node", "create", "ipmi", "--name", "n9", "--power-state", "power on")
    assert (one["conductor"], one["power_state"]) == ("c1:8090", "power on")
    taken = inside("node", "create", "ipmi", "--name", "n9")
    assert taken.returncode == 2
    assert f"name 'n9' is taken, by node {one['uuid']}" in taken.stderr
    done = inside("node", "delete", "nobody", "n9")
    assert done.returncode == 1
    assert "'nobody'" in done.stderr
    assert rows("node", "list") == []


def test_nodes_and_hypervisors_are_changed(rows, inside, nodes, conductor):
    def done(*arguments):
        ended = inside(*arguments)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", ""), arguments

    done("node", "set", "n1", "--name", "n9", "--power-state", "power on", "--maintenance")
    done("node", "set", "n2", "--no-maintenance", "--conductor-group", "east")
    first, second, _ = rows("node", "list", "--long")
    assert (first["Name"], first["Power State"], first["Maintenance"]) == ("n9", "power on", True)
    assert (second["Conductor"], second["Maintenance"]) == (None, False)
    done("node", "unset", "n2", "--conductor-group")
    for driver in (["--driver", "x"], ["--driver=redfish"]):
        done("--driver", "db", "node", "set", "n2", *driver, "--name", "n2")
        assert rows("node", "show", "n2")["driver"] == driver[-1].rpartition("=")[2]
    done("node", "unset", "n9", "--power-state", "--name")
    first, second, _ = rows("node", "list", "--long")
    assert (first["Name"], first["Power State"], second["Conductor"]) == (None, None, "c1:8090")
    rows("hypervisor", "create", "h1", "--vcpus", "32", "--running-vms", "1")
    done("hypervisor", "set", "h1", "--vcpus-used", "3", "--host", "node-7", "--pci-stats", "[]")
    done("hypervisor", "unset", "1", "--running-vms")
    one = rows("hypervisor", "show", "h1")
    assert (one["vcpus"], one["vcpus_used"], one["host"]) == (32, 3, "node-7")
    assert (one["pci_stats"], one["running_vms"]) == ([], None)
    for what, name in (("node", "n2"), ("hypervisor", "h1")):
        for verb in ("set", "unset"):
            assert "nothing to change" in inside(what, verb, name).stderr
            assert inside(what, verb, "nobody", *_any(what, verb)).returncode == 1
    assert inside("node", "set", "n2", "--name", "n3").returncode == 2
    assert inside("node", "set", "n2", "--uuid", "n3").returncode == 2


def _any(what, verb):
    option = {"node": "--name", "hypervisor": "--vcpus"}[what]
    return [option] if verb == "unset" else [option, "7"]


def test_a_bad_row_keeps_all_out(rows, inside, tmp_path, nodes):
    file = tmp_path / "bad.json"
    listed = [{"driver": "ipmi", "name": "a"}, {"name": "b"}, 7, {"driver": "ipmi", "name": "a"}]
    file.write_text(json.dumps([*listed, *[{"driver": "x", "colour": 1}] * 30]))
    done = inside("node", "import", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    told = done.stderr.splitlines()
    assert told[0].startswith("row 2: a node needs a driver")
    assert told[1].startswith("row 3: 7 is no object")
    assert told[2] == "row 4: name 'a' is that of row 1"
    assert "no field 'colour'" in told[3]
    assert len(told) == 21
    assert "33 of 34 rows are bad, of which 20 are shown; no node was added" in told[-1]
    file.write_text('[{"driver": "ipmi", "name": "z"}, {"driver": "ipmi", "name": "n1"}]')
    done = inside("node", "import", str(file))
    assert done.returncode == 2
    assert "name 'n1' is taken" in done.stderr
    assert len(rows("node", "list")) == 3


def test_what_ironics_client_prints_can_be_imported(rows, inside, tmp_path, monkeypatch):
    printed = [{"UUID": None, "Name": "n1", "Driver": "ipmi", "Power State": "power off"}]
    with monkeypatch.context() as patch:
        file = tmp_path / "piped"
        file.write_text(json.dumps(printed), encoding="utf-8-sig")
        with file.open(encoding="ascii") as piped:
            patch.setattr(sys, "stdin", piped)
            assert inside("node", "import", "-", "--format", "json").returncode == 0
    assert rows("node", "show", "n1")["power_state"] == "power off"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nodes.txt", b"", "add --format json or --format csv"),
        ("absent.csv", None, "cannot be read: No such file"),
        ("a.json", b"{", "it is no JSON"),
        ("a.json", b"{}", "must be a JSON list"),
        ("a.csv", b"name\nx\n", "its first line must name the columns, driver among them"),
        ("a.csv", b"driver\n\xff\xfe\n", "it is no"),
    ],
)
def test_files_that_are_none(inside, tmp_path, name, content, words):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    done = inside("node", "import", str(file))
    assert done.returncode == 2
    assert words in done.stderr


def test_the_bar_of_an_import_is_for_a_terminal():
    import io

    from servicegroup.cli.progress import Bar

    class Screen(io.StringIO):
        def isatty(self):
            return True

    screen, file = Screen(), io.StringIO()
    for stream in (screen, file):
        with Bar(stream) as bar:
            for done in (0, 400, 400, 800):
                bar.show(done, 800)
    assert screen.getvalue().count("50 % of 800") == 1
    assert file.getvalue() == ""


def test_hypervisors(rows, inside, service_group):
    service_group.join("compute", "otccloud06", name="nova-compute")
    one = rows("hypervisor", "create", "otccloud06", "--vcpus", "32", "--cpu-info", '{"a": 1}')
    assert (one["id"], one["vcpus"], one["cpu_info"], one["state"]) == (1, 32, {"a": 1}, "up")
    assert one["free_disk_gb"] is None
    rows("hypervisor", "create", "h2.example.org", "--host", "h2")
    service_group.services.disable("compute", "otccloud06", "new memory")
    first, second = rows("hypervisor", "list")
    assert first == {
        "ID": 1,
        "Hypervisor Hostname": "otccloud06",
        "State": "up",
        "Status": "disabled",
    }
    assert second["State"] == "down"
    long = rows("hypervisor", "list", "--long")
    assert list(long[0]) == [*first, "Disabled Reason", "Reason", "Host"]
    assert long[0]["Disabled Reason"] == "new memory"
    assert long[1]["Reason"] == "no service of group 'compute' is known on host 'h2'"
    assert rows("hypervisor", "show", "otccloud06")["disabled_reason"] == "new memory"
    assert inside("hypervisor", "create", "h3", "--vcpus", "many").returncode == 2
    done = inside("hypervisor", "delete", "1", "nobody")
    assert done.returncode == 1
    assert [one["ID"] for one in rows("hypervisor", "list")] == [2]


def test_the_ring_is_drawn(inside, conductor, nodes, service_group, tmp_path):
    shown = inside("conductor", "ring").stdout
    assert "default conductor group, ipmi, redfish: 1 conductor, 2 nodes" in shown
    assert "100.0%" in shown
    file = tmp_path / "ring.svg"
    done = inside("conductor", "ring", "--output", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    names = [element.text for element in ET.fromstring(file.read_text()).iter() if element.text]
    assert "c1:8090" in names
    assert "2 nodes" in names
    done = inside("conductor", "ring", "--output", str(tmp_path / "no" / "ring.svg"))
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_another_policy_is_drawn_too(inside, conductor, nodes, tmp_path):
    file, policy = tmp_path / "shares.svg", {"OS_SERVICEGROUP_CONDUCTOR__POLICY": "rendezvous"}
    shown = inside("conductor", "ring", env=policy).stdout
    assert "1 conductor, 2 nodes, by policy rendezvous" in shown
    assert "due share" in shown
    assert inside("conductor", "ring", "--output", str(file), env=policy).returncode == 0
    assert "due share" in file.read_text()
    mine = inside("node", "list", "--conductor", "c1:8090", "-f", "value", "-c", "Name", env=policy)
    assert mine.stdout.split() == ["n1", "n2"]
    wrong = inside("conductor", "ring", env={"OS_SERVICEGROUP_CONDUCTOR__POLICY": "static"})
    assert wrong.returncode == 2
    assert "set static_table, static_otherwise or both" in wrong.stderr


def test_a_large_ring_is_drawn_in_brief(inside, service_group, tmp_path):
    for number in range(120):
        name = f"<c{number:03d}&>\x1b" + number // 119 * "-that-has-a-long-name.example.org:8090"
        drivers = [f"driver-{one:02d}" for one in range(30)]
        described = {"drivers": drivers, "conductor_group": "group" * 40}
        service_group.join("ironic-conductor", name, attributes=described, wait=False)
    service_group.get_members("ironic-conductor")
    while len(service_group.get_members("ironic-conductor")) < 120:
        pass
    shown = inside("conductor", "ring").stdout
    assert "... 80 more between these" in shown
    assert "\x1b" not in shown
    file = tmp_path / "ring.svg"
    inside("conductor", "ring", "--output", str(file))
    text = file.read_text()
    assert "and 60 more" in text
    picture = ET.fromstring(text)
    for words in picture.iter("{*}text"):  # nothing is cut off, nor in the way of the bars
        end = float(words.get("x")) + 0.62 * int(words.get("font-size")) * len(words.text)
        assert (
            end < (640 if words.get("x") == "380.0" else 1080) or "middle" in words.attrib.values()
        )


def test_nobody_is_there(rows, inside):
    assert rows("conductor", "list") == []
    assert "no conductor serves any node" in inside("conductor", "ring").stdout
    for arguments, words in {
        ("conductor", "show", "c9"): "no conductor 'c9'",
        ("node", "list", "--conductor", "c9"): "no conductor 'c9'",
        ("node", "show", "n9"): "no node 'n9'",
        ("hypervisor", "show", "h9"): "no hypervisor 'h9'",
    }.items():
        done = inside(*arguments)
        assert done.returncode == 1
        assert words in done.stderr
    for host in (":80", "c1:port", "[::1"):
        done = inside("conductor", "show", host)
        assert done.returncode == 2
        assert "malformed" in done.stderr
