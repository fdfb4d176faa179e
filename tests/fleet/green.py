"""A daemon of green threads: its arguments are a URL and options. Says when its heart beats on."""

import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

from fleet.group import service_group  # noqa: E402

BEATS = 5
#: Seconds; nobody outlives its test by more.
LIFE = 120.0


def main() -> None:
    """Be a member until killed."""
    group = service_group(sys.argv[1], **json.loads(sys.argv[2]))
    group.join("g", "green")
    heart = group._process.heart
    beats = []
    step = heart.step
    heart.step = lambda now: beats.append(now) or step(now)
    while len(beats) < BEATS:
        time.sleep(0.05)
    sys.stdout.write("beating\n")
    sys.stdout.flush()
    time.sleep(LIFE)


if __name__ == "__main__":
    main()
