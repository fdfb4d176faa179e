"""What goes wrong in practice between a fleet and its cluster, for ``servicegroup doctor``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

from servicegroup import skew
from servicegroup.driver import Finding
from servicegroup.exceptions import ConfigurationError

from . import layout, leases
from .client import CLIENT_ERRORS, LEASES, NAMESPACES, PODS, Client, Forbidden, Missing, Throttled
from .clock import Clock
from .layout import Reader
from .leases import Lease
from .settings import GROUP, Options

_REVIEWS = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_MANIFESTS = "doc/examples/kubernetes"
#: What who looks needs, and what members need as well.
LOOKING, CHANGING = ("get", "list", "watch"), ("create", "update", "delete")
#: Most Leases named in one finding.
NAMED = 3


def findings(client: Client, options: Options, reader: Reader) -> Iterator[Finding]:
    """Say how the cluster is to this host. A dozen requests, and a list of our Leases."""
    try:
        _find_namespace(client, options)
        yield from _rights(client, options)
        yield from _clocks(client.clock)
        if options.mode == "lease":
            yield _leases(client, reader)
            yield from _owner(client, options)
    except Throttled as error:
        remedy = f"apply {_MANIFESTS}/flowschema.yaml, or raise [servicegroup] report_interval"
        yield Finding("throttling", False, str(error), remedy)


def _find_namespace(client: Client, options: Options) -> None:
    """Look whether the namespace is there: a list in one that is not is empty, and no error.

    Who has rights in that namespace only need not be allowed to ask, and has them where it is.

    :raises ConfigurationError: it is not there
    """
    with contextlib.suppress(Forbidden, Missing):
        client.get(f"{NAMESPACES}/{options.namespace}")


def all_forbidden(client: Client, options: Options, first: Forbidden) -> ConfigurationError:
    """Return an error that names every right that is missing, where the *first* of them is missed.

    Where nobody may ask for rights, it is the first itself.
    """
    try:
        found = next(_rights(client, options), None)
    except CLIENT_ERRORS:
        return first
    if found is None or found.well:
        return first
    return ConfigurationError(
        f"[{GROUP}] {options.place} forbids it: {first.words}; this account {found.result}: "
        f"{found.remedy}"
    )


def _rights(client: Client, options: Options) -> Iterator[Finding]:
    """Ask for each verb whether we may; where nobody may ask that, nothing is said."""
    pods = options.mode == "pod"
    group, resource = ("", "pods") if pods else ("coordination.k8s.io", "leases")
    verbs = LOOKING if pods else (*LOOKING, *CHANGING)
    asked = {"namespace": options.namespace, "group": group, "resource": resource}
    try:
        refused = [verb for verb in verbs if not _may(client, {**asked, "verb": verb})]
    except (ConfigurationError, Missing):
        return
    where = f"{resource} in namespace {options.namespace!r}"
    if not refused:
        yield Finding("rights", True, f"may {', '.join(verbs)} {where}")
        return
    looks, changes = set(refused) & set(LOOKING), set(refused) & set(CHANGING)
    role = "member" if changes else "observer"
    remedy = f"bind the Role servicegroup-{role} of {_MANIFESTS}/rbac.yaml to this account"
    if changes:
        otherwise = "or servicegroup-observer, if" if looks else "unless"
        remedy += f", {otherwise} it is to look only"
    yield Finding("rights", False, f"may not {', '.join(refused)} {where}", remedy)


def _may(client: Client, asked: dict[str, str]) -> bool:
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    answer = client.create(_REVIEWS, {**kind, "spec": {"resourceAttributes": asked}}).json()
    return bool(answer.get("status", {}).get("allowed"))


def _clocks(clock: Clock) -> Iterator[Finding]:
    low, high = clock.bounds(clock.now())
    ahead, error = (low + high) / 2 - time.time(), (high - low) / 2
    if clock.steps:
        words = "the clocks of the API servers differ, or one was set just now"
        yield Finding("clock", False, words, "set them by NTP: first looks at members are unsure")
    elif clock.known:
        yield skew.clock("the API server's", ahead, error)


def _leases(client: Client, reader: Reader) -> Finding:
    """Look at all Leases under our label: others make and damage them, too."""
    beats, members, foreign = 0, 0, list[str]()
    place = client.objects(LEASES, "leases")
    for page, _ in client.pages(place, leases.KIND, leases.decode_list):
        stored = reader.all(page.items, {}, attributes=True)
        for lease, member in zip(page.items, stored, strict=True):
            kind = lease.metadata.labels.kind
            if kind == layout.BEAT and _is_beat(lease):
                beats += 1
            elif kind in (layout.HERE, layout.GRAVE) and member is not None:
                members += member.is_here
            else:
                foreign.append(lease.metadata.name)
    words = f"{beats:,} signs of life, {members:,} members"
    if not foreign:
        return Finding("leases", True, words)
    words += f"; {len(foreign):,} carry our labels but are none of ours, or were damaged: "
    return Finding("leases", False, words + _named(foreign), "remove them, or their labels")


def _is_beat(lease: Lease) -> bool:
    instance_id = lease.metadata.notes.instance
    return (
        bool(instance_id) and layout.instance_label(instance_id) == lease.metadata.labels.instance
    )


def _owner(client: Client, options: Options) -> Iterator[Finding]:
    """Hold the pod that signs of life are to end with against the cluster, if we may see it."""
    owner = options.owner
    if owner is None:
        return
    try:
        found = client.get(f"{client.objects(PODS, 'pods')}/{owner.name}").json()
    except ConfigurationError:
        return
    except Missing:
        found = {}
    if found.get("metadata", {}).get("uid") == owner.uid:
        yield Finding("owner", True, f"signs of life end with pod {owner.name!r}")
        return
    words = (
        f"there is no pod {owner.name!r} with uid {owner.uid} in namespace {options.namespace!r}: "
        f"the cluster would remove signs of life that it is to own"
    )
    remedy = f"correct [{GROUP}] pod_name and pod_uid, or $POD_NAME and $POD_UID"
    yield Finding("owner", False, words, remedy)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
