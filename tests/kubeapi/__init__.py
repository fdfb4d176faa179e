"""A strict Kubernetes API server of one process, for tests: leases, pods and what they need."""
