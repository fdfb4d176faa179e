"""Which kind of file system a path is on, as the kernel tells."""

from __future__ import annotations

import pathlib
import re

MOUNTINFO = pathlib.Path("/proc/self/mountinfo")

#: Kinds on which locks and shared memory between hosts cannot be relied on.
NETWORK = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
        "virtiofs",
    }
)
_ESCAPED = re.compile(r"\\([0-7]{3})")


def kind(path: pathlib.Path, mountinfo: str | None = None) -> str:
    """Return the type of the file system that *path* is on or will be; empty if nobody knows.

    :param mountinfo: in place of this process's own, see proc(5)
    """
    if mountinfo is None:
        mountinfo = MOUNTINFO.read_text() if MOUNTINFO.exists() else ""
    path = path.resolve()
    found, depth = "", -1
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(" - ")
        place = pathlib.Path(_ESCAPED.sub(_unescape, mount.split()[4]))
        # Of two mounts on one place the later hides the earlier.
        if path.is_relative_to(place) and len(place.parts) >= depth:
            found, depth = source.split()[0], len(place.parts)
    return found


def _unescape(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))
