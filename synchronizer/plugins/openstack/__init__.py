"""What runs in an OpenStack cloud: asked of its services, and heard on its message bus."""
