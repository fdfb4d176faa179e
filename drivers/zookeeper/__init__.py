"""The ``zookeeper`` driver: a process is there while its session is.

Each process has one session and one ephemeral node; its members are ordinary nodes that name it.
So a beat costs one small read whatever the number of members, a process that dies takes all of them
down at once, and none of them is forgotten.
"""
