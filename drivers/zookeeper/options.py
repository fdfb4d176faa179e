"""The options of ``[servicegroup_zookeeper]``."""

from __future__ import annotations

from collections.abc import Sequence

from oslo_config import cfg

OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt(
        "hosts",
        default="127.0.0.1:2181",
        help="ZooKeeper's servers, as host:port separated by commas. A path after the last one is "
        "the chroot, below which everything lies.",
    ),
    cfg.StrOpt(
        "root",
        default="/servicegroup",
        help="Path below which members are kept. All members of a fleet must use the same one.",
    ),
    cfg.FloatOpt(
        "session_timeout",
        default=10.0,
        min=0.1,
        help="Seconds without a word from a process after which ZooKeeper declares it gone, and "
        "its members are down. Shorter means sooner detection and less patience with a slow "
        "network. The server allows 2 to 20 of its ticks, unless its minSessionTimeout and "
        "maxSessionTimeout say otherwise.",
    ),
    cfg.StrOpt("username", help="Name to authenticate with, by digest unless sasl_mechanism says."),
    cfg.StrOpt("password", secret=True, help="Password for username."),
    cfg.StrOpt(
        "sasl_mechanism",
        choices=["DIGEST-MD5", "GSSAPI"],
        help="Authenticate by SASL; needs the library pure-sasl. GSSAPI takes the ticket of the "
        "process and needs no password.",
    ),
    cfg.StrOpt(
        "sasl_service", default="zookeeper", help="Name of the server's service for GSSAPI."
    ),
    cfg.StrOpt(
        "acl",
        choices=[
            ("open", "everybody may read and write"),
            ("world-read", "everybody may read, only this username may write"),
            ("creator-all", "only this username may read and write"),
        ],
        sample_default="<creator-all with authentication, open without>",
        help="Who may see and change the nodes that are created.",
    ),
    cfg.BoolOpt("use_ssl", default=False, help="Speak TLS with the servers."),
    cfg.StrOpt("ca", help="File of the certificate authorities that sign the servers', in PEM."),
    cfg.StrOpt("cert", help="File of the certificate to show to the servers, in PEM."),
    cfg.StrOpt("key", help="File of that certificate's private key, in PEM."),
    cfg.StrOpt("key_password", secret=True, help="Password of the private key."),
    cfg.BoolOpt(
        "verify",
        default=True,
        help="Whether the servers' certificates must be signed by a known authority. Without it "
        "anybody on the way can read and forge.",
    ),
    cfg.BoolOpt(
        "verify_host",
        default=True,
        help="Whether the servers' certificates must also name the host that was asked.",
    ),
)
