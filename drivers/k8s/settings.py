"""The values of ``[servicegroup_k8s]``: checked, together, and made what the client takes.

Without oslo.config: the guardian comes here with values that it was handed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from lightkube.config.kubeconfig import DEFAULT_KUBECONFIG, KubeConfig, SingleConfig
from lightkube.config.kubeconfig import SERVICE_ACCOUNT as ACCOUNT
from lightkube.core.exceptions import ConfigError

from servicegroup.exceptions import ConfigurationError

GROUP = "servicegroup_k8s"
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
#: Set by Kubernetes in every container.
_IN_CLUSTER = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")


class Owner(NamedTuple):
    """The pod that this process runs in."""

    name: str
    uid: str

    def reference(self) -> dict[str, str]:
        """Return what makes the cluster remove an object with the pod."""
        return {"apiVersion": "v1", "kind": "Pod", "name": self.name, "uid": self.uid}


class Options(NamedTuple):
    """The checked values; *place* names the cluster in messages."""

    mode: str
    namespace: str
    config: SingleConfig
    place: str
    label_selector: str
    pod_hostname: str
    completed_pods: bool
    owner: Owner | None


def checked(values: Mapping[str, Any]) -> Options:
    """Return the values of the group if they can work.

    :raises ConfigurationError: one cannot, or there is no configuration of a cluster
    """
    selector = values["label_selector"]
    if values["mode"] == "pod" and not selector:
        raise ConfigurationError(
            f"[{GROUP}] mode=pod needs label_selector: which pods are the members? For example "
            f"label_selector=app={{group}}"
        )
    if values["mode"] == "lease" and selector:
        raise _wrong("label_selector", selector, "has no use in mode=lease; leave it out")
    config, place, own = _config(values["kubeconfig"], values["context"])
    namespace = values["namespace"] or config.namespace or "default"
    if _NAMESPACE.match(namespace) is None:
        raise _wrong("namespace", namespace, "is no name of a namespace (RFC 1123 label)")
    return Options(
        mode=values["mode"],
        namespace=namespace,
        config=config,
        place=place,
        label_selector=selector or "",
        pod_hostname=values["pod_hostname"],
        completed_pods=values["completed_pods"],
        # An owner in another namespace is no owner: the cluster would remove the Lease at once.
        owner=_owner(values) if not own or own == namespace else None,
    )


def _wrong(option: str, value: object, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"[{GROUP}] {option}={value!r} {remedy}")


def _config(path: str | None, context: str | None) -> tuple[SingleConfig, str, str]:
    """Return the configuration, its name for messages and the namespace of our pod, if known."""
    if not path and not context and all(os.environ.get(one) for one in _IN_CLUSTER):
        try:
            found = KubeConfig.from_service_account().get()
        except (ConfigError, OSError) as error:
            raise ConfigurationError(
                f"[{GROUP}] this is a pod without a service account ({error}): set "
                f"automountServiceAccountToken, or kubeconfig"
            ) from error
        assert found is not None
        return found, f"{found.cluster.server} (service account)", found.namespace
    file = path or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    try:
        found = KubeConfig.from_file(file).get(context)
    except ConfigError as error:
        if not path and not Path(file).expanduser().exists():
            raise ConfigurationError(
                f"[{GROUP}] no cluster is configured: this is no pod with a service account "
                f"({ACCOUNT}) and {str(file)!r} does not exist; set kubeconfig to a file of yours"
            ) from error
        raise ConfigurationError(f"[{GROUP}] kubeconfig={str(file)!r}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OSError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"[{GROUP}] kubeconfig={str(file)!r} is no kubeconfig: {type(error).__name__}: {error}"
        ) from error
    if found is None or found.user is None:
        raise ConfigurationError(
            f"[{GROUP}] kubeconfig={str(file)!r} names no user in its context; see 'kubectl config "
            f"view'"
        )
    server = found.cluster.server
    if not re.match(r"https?://[^\s/]+", server):
        raise ConfigurationError(
            f"[{GROUP}] kubeconfig={str(file)!r} names the server {server!r}; it has to be a URL "
            f"like https://10.0.0.1:6443"
        )
    return found, f"{server} ({file})", ""


def _owner(values: Mapping[str, Any]) -> Owner | None:
    name = values["pod_name"] or os.environ.get("POD_NAME")
    uid = values["pod_uid"] or os.environ.get("POD_UID")
    if values["pod_uid"] and not name:
        raise ConfigurationError(f"[{GROUP}] pod_uid needs pod_name: set both, or neither")
    return Owner(name, uid) if name and uid else None
