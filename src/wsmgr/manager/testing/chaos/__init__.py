"""Chaos: the whole manager under random faults on virtual time, judged by what the venue knows.

::

    report = run_seed(7, minutes=10)
    assert report.complaints == ()
"""

from __future__ import annotations

from wsmgr.manager.testing.chaos.report import Blind, Report, blindness_table, summary
from wsmgr.manager.testing.chaos.run import complaints_of, judged, run_seed

__all__ = ["Blind", "Report", "blindness_table", "complaints_of", "judged", "run_seed", "summary"]
