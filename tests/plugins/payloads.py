"""One of each thing in a cloud, as its service's API and its notifications describe it."""

PROJECT, USER = "6f70656e737461636b20342065766572", "d8b5c1f0a1b34f4c"
SERVER, VOLUME_ID = "178b0921-8f85-4257-88b6-2e743b5a975c", "5f7e2a40-3c43-4c5c-9f1f-0c6a3ef4a001"
NETWORK_ID, PORT_ID = "d32019d3-bc6e-4319-9c1d-6722fc136a22", "ebe69f1e-bc26-4db5-bed0-c0afb4afe3db"
STACK_ID, NODE_ID = "16934ca0-99c1-4d6c-a52e-1c8a1d6f8bc0", "1be26c0b-03f2-4d2e-ae87-c02d7f33c781"

SERVER_IN_API = {
    "id": SERVER,
    "name": "web",
    "status": "ACTIVE",
    "tenant_id": PROJECT,
    "user_id": USER,
    "updated": "2026-11-21T13:42:11Z",
    "created": "2026-11-21T13:00:00Z",
    "flavor": {"original_name": "m1.small", "vcpus": 1, "ram": 512, "disk": 1, "ephemeral": 0},
    "OS-EXT-STS:vm_state": "active",
    "OS-EXT-STS:task_state": None,
    "OS-EXT-STS:power_state": 1,
    "OS-EXT-SRV-ATTR:host": "compute-1",
    "OS-EXT-AZ:availability_zone": "nova",
    "addresses": {},
    "metadata": {},
}
VOLUME_IN_API = {
    "id": VOLUME_ID,
    "name": "disk",
    "status": "in-use",
    "size": 10,
    "availability_zone": "nova",
    "user_id": USER,
    "os-vol-tenant-attr:tenant_id": PROJECT,
    "created_at": "2026-11-21T13:00:00.000000",
    "updated_at": "2026-11-21T13:42:11.000000",
    "attachments": [{"server_id": SERVER, "device": "/dev/vdb", "host_name": "compute-1"}],
    "volume_type": "fast",
}
NETWORK_IN_API = {
    "id": NETWORK_ID,
    "name": "private",
    "status": "ACTIVE",
    "admin_state_up": True,
    "shared": False,
    "router:external": False,
    "mtu": 1450,
    "tenant_id": PROJECT,
    "project_id": PROJECT,
    "subnets": ["08eae331-0402-425a-923c-34f7cfe39c1b"],
    "updated_at": "2026-11-21T13:42:11Z",
}
PORT_IN_API = {
    "id": PORT_ID,
    "name": "",
    "status": "ACTIVE",
    "admin_state_up": True,
    "network_id": NETWORK_ID,
    "device_id": SERVER,
    "device_owner": "compute:nova",
    "mac_address": "fa:16:3e:11:22:33",
    "fixed_ips": [{"subnet_id": "08eae331", "ip_address": "10.0.0.5"}],
    "project_id": PROJECT,
    "updated_at": "2026-11-21T13:42:11Z",
}
STACK_IN_API = {
    "id": STACK_ID,
    "stack_name": "shop",
    "stack_status": "CREATE_COMPLETE",
    "stack_status_reason": "Stack CREATE completed successfully",
    "project": PROJECT,
    "creation_time": "2026-11-21T13:42:11Z",
    "updated_time": None,
    "parent": None,
}
NODE_IN_API = {
    "uuid": NODE_ID,
    "name": "rack-1-1",
    "provision_state": "active",
    "power_state": "power on",
    "maintenance": False,
    "maintenance_reason": None,
    "fault": None,
    "driver": "ipmi",
    "resource_class": "large",
    "instance_uuid": SERVER,
    "owner": PROJECT,
    "created_at": "2026-11-21T13:00:00+00:00",
    "updated_at": "2026-11-21T13:42:11+00:00",
}


def server(**changed):
    """The payload of a versioned notification of nova."""
    flavor = {"nova_object.data": {"name": "m1.small", "flavorid": "a22d5517", "vcpus": 1}}
    values = {
        "uuid": SERVER,
        "display_name": "web",
        "state": "active",
        "task_state": None,
        "power_state": "running",
        "tenant_id": PROJECT,
        "user_id": USER,
        "host": "compute-1",
        "node": "compute-1",
        "flavor": flavor | {"nova_object.name": "FlavorPayload", "nova_object.version": "1.4"},
        "availability_zone": "nova",
        "created_at": "2026-11-21T13:00:00Z",
        "updated_at": "2026-11-21T13:42:11Z",
        "deleted_at": None,
        "ip_addresses": [],
        "metadata": {},
    }
    return {
        "nova_object.data": values | changed,
        "nova_object.name": "InstanceActionPayload",
        "nova_object.namespace": "nova",
        "nova_object.version": "1.8",
    }


def service(binary):
    values = {"host": "compute-1", "binary": binary, "disabled": False, "forced_down": False}
    return {"nova_object.data": values, "nova_object.name": "ServiceStatusPayload"}


def legacy_server(**changed):
    """The payload of a legacy notification of nova."""
    return {
        "tenant_id": PROJECT,
        "user_id": USER,
        "instance_id": SERVER,
        "display_name": "web",
        "host": "compute-1",
        "node": "compute-1",
        "availability_zone": "nova",
        "instance_type": "m1.small",
        "instance_flavor_id": "a22d5517",
        "state": "active",
        "state_description": "",
        "created_at": "2026-11-21 13:00:00+00:00",
        "launched_at": "2026-11-21T13:42:11.000000",
        "deleted_at": "",
        "terminated_at": "",
        "metadata": {},
    } | changed


def volume(**changed):
    """The payload of a notification of cinder."""
    attachment = {
        "id": "cfd3b5ba",
        "volume_id": VOLUME_ID,
        "instance_uuid": SERVER,
        "attached_host": "compute-1",
        "mountpoint": "/dev/vdb",
        "attach_status": "attached",
        "attach_mode": "rw",
    }
    return {
        "tenant_id": PROJECT,
        "user_id": USER,
        "volume_id": VOLUME_ID,
        "volume_type": "5a9b3a4d",
        "display_name": "disk",
        "host": "cinder@lvm#lvm",
        "availability_zone": "nova",
        "status": "in-use",
        "size": 10,
        "snapshot_id": None,
        "created_at": "2026-11-21T13:00:00+00:00",
        "launched_at": "2026-11-21T13:00:03+00:00",
        "replication_status": None,
        "metadata": [],
        "volume_attachment": [attachment],
    } | changed


def stack(**changed):
    """The payload of a notification of heat."""
    return {
        "tenant_id": PROJECT,
        "user_id": "admin",
        "user_identity": USER,
        "username": "admin",
        "stack_identity": STACK_ID,
        "stack_name": "shop",
        "state": "CREATE_COMPLETE",
        "state_reason": "Stack CREATE completed successfully",
        "create_at": "2026-11-21T13:42:11Z",
        "updated_at": None,
        "tags": [],
        "description": "",
    } | changed


def node(**changed):
    """The payload of a notification of ironic."""
    return {
        "ironic_object.data": NODE_IN_API
        | {"created_at": "2026-11-21T13:00:00Z", "updated_at": "2026-11-21T13:42:11Z"}
        | {"target_provision_state": None, "traits": [], "properties": {}, "event": "done"}
        | changed,
        "ironic_object.name": "NodeSetProvisionStatePayload",
        "ironic_object.namespace": "ironic",
        "ironic_object.version": "1.17",
    }
