"""What the contract promises, one file a topic; :class:`DriverConformance` is all of them."""

import pkgutil

import pytest

# So that a bare assertion that fails says what it compared, as in a test's own file.
pytest.register_assert_rewrite(
    *(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__))
)
