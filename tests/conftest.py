"""Puts the code that tests share on the import path, and its fixtures in reach.

Tests are imported by path (``--import-mode=importlib``), so ``tests`` itself is no package: what
lies beside this file is imported as ``servers`` and ``faketime``.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins = ["servers.fixtures", "pytester"]
