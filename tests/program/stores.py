"""Stores other than the database, as settings of the environment."""

import uuid

#: The fixtures of their servers.
OTHERS = ("memcached", "zookeeper", "kubernetes")


def settings(server):
    """The environment that makes this server the store."""
    name = f"test-{uuid.uuid4()}"
    if server.name == "memcached":
        return {
            "OS_SERVICEGROUP__DRIVER": "memcache",
            "OS_SERVICEGROUP_MEMCACHE__SERVERS": server.address,
            "OS_SERVICEGROUP_MEMCACHE__NAMESPACE": name,
        }
    if server.name == "kubernetes":
        namespace = server.create_namespace(name)
        kubeconfig = server.kubeconfig(server.folder / name, namespace=namespace)
        return {
            "OS_SERVICEGROUP__DRIVER": "k8s",
            # Who has just started knows the server's clock to two seconds.
            "OS_SERVICEGROUP__REPORT_INTERVAL": "1",
            "OS_SERVICEGROUP__SERVICE_DOWN_TIME": "6",
            "OS_SERVICEGROUP_K8S__KUBECONFIG": str(kubeconfig),
        }
    return {
        "OS_SERVICEGROUP__DRIVER": "zookeeper",
        "OS_SERVICEGROUP_ZOOKEEPER__HOSTS": server.address,
        "OS_SERVICEGROUP_ZOOKEEPER__ROOT": f"/{name}",
        "OS_SERVICEGROUP_ZOOKEEPER__SESSION_TIMEOUT": "1",
    }
