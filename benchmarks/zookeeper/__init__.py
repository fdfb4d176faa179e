"""The ``zookeeper`` driver."""
