"""One picture of what runs, from collectors and message buses."""
