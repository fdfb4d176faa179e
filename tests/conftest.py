"""Puts the code that tests share on the import path, and its fixtures in reach.

Tests are imported by path (``--import-mode=importlib``), so ``tests`` itself is no package: what
lies beside this file is imported as ``servers`` and ``faketime``.
"""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins = ["servers.fixtures", "pytester"]

# A shell that starts us in the background has them ignored, and so would all our children.
for _signum in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_signum) is signal.SIG_IGN:
        signal.signal(
            _signum, signal.default_int_handler if _signum is signal.SIGINT else signal.SIG_DFL
        )
