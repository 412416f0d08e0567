"""Models and sandboxes on the nodes of a Ray cluster, behind the interfaces of those on this machine."""
