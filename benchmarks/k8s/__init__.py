"""Kubernetes: Leases on the API server of the tests, and bare HTTP with json."""
