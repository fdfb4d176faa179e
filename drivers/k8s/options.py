"""The options of ``[servicegroup_k8s]``."""

from __future__ import annotations

from collections.abc import Sequence

from oslo_config import cfg

OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt(
        "mode",
        default="lease",
        choices=[
            ("lease", "processes join and beat by themselves, in Leases"),
            ("pod", "members are the pods that label_selector finds; nobody joins"),
        ],
        help="What members are.",
    ),
    cfg.StrOpt(
        "namespace",
        sample_default="<that of the kubeconfig or of the pod>",
        help="Namespace in which members are kept. All members of a fleet must use the same one. "
        "Whoever may change Leases there can forge any member: use one of its own.",
    ),
    cfg.StrOpt(
        "kubeconfig",
        sample_default="<the pod's service account, else $KUBECONFIG, else ~/.kube/config>",
        help="File that says where the API server is and who we are.",
    ),
    cfg.StrOpt(
        "context",
        sample_default="<the file's current context>",
        help="Which context of the kubeconfig.",
    ),
    cfg.StrOpt(
        "label_selector",
        help="In mode pod: which pods are members. {group} stands for the group that is asked "
        "for, as in app={group}; without it the pods are the members of every group.",
    ),
    cfg.StrOpt(
        "pod_hostname",
        default="node",
        choices=[("node", "the name of the node it runs on"), ("pod", "its own name")],
        help="In mode pod: the host name that members are shown with.",
    ),
    cfg.BoolOpt(
        "completed_pods",
        default=False,
        help="In mode pod: whether pods that ran to their end, or failed for good, are listed as "
        "members that are down.",
    ),
    cfg.StrOpt(
        "pod_name",
        sample_default="<$POD_NAME>",
        help="Name of the pod that this process runs in, by the downward API. With pod_uid, the "
        "cluster removes our sign of life with the pod.",
    ),
    cfg.StrOpt(
        "pod_uid",
        sample_default="<$POD_UID>",
        help="metadata.uid of that pod. A wrong one would have the cluster remove it at once.",
    ),
)
