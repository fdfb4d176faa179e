"""What authors of drivers test with: the suite that our own drivers are held to."""
