"""Nova's own tests of servicegroup, os-services and os-hypervisors, and of who else asks."""

import collections

from counted import counted

OURS = "servicegroup.compat.nova"
TESTS = [
    "nova.tests.unit.servicegroup.test_api",
    "nova.tests.unit.servicegroup.test_db_servicegroup",
    "nova.tests.unit.servicegroup.test_mc_servicegroup",
    "nova.tests.unit.test_service",
    "nova.tests.unit.api.openstack.compute.test_services",
    "nova.tests.unit.api.openstack.compute.test_hypervisors",
    "nova.tests.unit.api.openstack.compute.test_availability_zone",
    "nova.tests.unit.scheduler.filters.test_compute_filters",
    "nova.tests.unit.scheduler.test_manager",
    "nova.tests.unit.compute.test_host_api",
]
LEFT_OUT = {
    "MemcachedServiceGroupTestCase": "asks for the protocol of Nova's own memcached driver, key by "
    "key on a mock of its client; our memcache driver keeps other keys, on a real server",
}


def swap() -> collections.Counter:
    """Put our API and driver where Nova's were."""
    from nova import monkey_patch

    monkey_patch.patch()
    import nova.servicegroup
    import nova.servicegroup.api
    import nova.servicegroup.drivers.db

    from servicegroup.compat import nova as ours

    made = collections.Counter()
    nova.servicegroup.API = nova.servicegroup.api.API = counted(made, ours.API)
    nova.servicegroup.drivers.db.DbDriver = counted(made, ours.Driver, "is_up")
    return made
