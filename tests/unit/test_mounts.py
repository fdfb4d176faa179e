"""Which kind of file system a path is on."""

from pathlib import Path

import pytest

from servicegroup import mounts

MOUNTINFO = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:25 / /srv rw - nfs4 server:/export rw
31 30 254:1 / /srv/local rw,noatime shared:5 master:2 - xfs /dev/vdb rw
32 22 0:26 / /home/two\040words rw - fuse.sshfs me@host: rw
33 22 254:2 / /var rw - ext4 /dev/vdc rw
34 22 0:27 / /var rw - cifs //server/share rw
""".strip()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc/passwd", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/sg/sg.sqlite", "nfs4"),
        ("/srvother/sg.sqlite", "ext4"),
        ("/srv/local/sg.sqlite", "xfs"),
        ("/home/two words/sg.sqlite", "fuse.sshfs"),
        ("/var/sg.sqlite", "cifs"),
    ],
)
def test_the_nearest_and_latest_mount_counts(path, kind):
    assert mounts.kind(Path(path), MOUNTINFO) == kind


def test_nobody_knows():
    assert mounts.kind(Path("/srv"), "") == ""


def test_our_own_kernel_tells(tmp_path):
    assert mounts.kind(Path("/proc/self/mountinfo")) == "proc"
    assert mounts.kind(tmp_path) not in mounts.NETWORK
