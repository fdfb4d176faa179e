"""Computes the package list; everything else is in setup.cfg.

``find:`` cannot follow the three folders that install under one import name, and a forgotten
sub-package would work in an editable install and be missing from the wheel.
"""

import setuptools

setuptools.setup(
    packages=[
        *setuptools.find_packages(include=["servicegroup", "servicegroup.*"]),
        *(
            f"servicegroup.{name}"
            for name in setuptools.find_packages(
                include=["drivers", "drivers.*", "synchronizer", "synchronizer.*"]
            )
        ),
    ],
)
