"""The ``k8s`` driver: members are Leases of a Kubernetes cluster, or its pods themselves.

In mode ``lease`` every process renews one Lease, its sign of life, and every member has another one
that describes it and is written when it changes. In mode ``pod`` the cluster's own word is taken:
members are the pods that a label selector finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .driver import KubernetesDriver

__all__ = ["KubernetesDriver"]


def __getattr__(name: str) -> Any:
    """Load the driver when it is asked for: the guardian needs only other parts of this."""
    if name != "KubernetesDriver":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .driver import KubernetesDriver

    return KubernetesDriver
