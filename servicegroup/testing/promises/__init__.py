"""What the contract promises, one file a topic; :class:`DriverConformance` is all of them."""
