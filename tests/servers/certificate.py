"""A certificate for a test server, which vouches for itself."""

import subprocess
from pathlib import Path

from servers.requirement import find_program

#: Seconds in which a key is made.
PATIENCE = 30.0


def self_signed(folder: Path, host: str) -> tuple[Path, Path]:
    """Make a certificate for an address, and its key; returns their files."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    kind += ["-nodes", "-days", "2", "-x509"]
    names = ["-subj", "/CN=test", "-addext", f"subjectAltName=IP:{host}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    openssl = str(find_program("openssl", "openssl"))
    command = [openssl, "req", *kind, *names, *files]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
    return certificate, key
