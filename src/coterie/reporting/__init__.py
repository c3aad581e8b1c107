"""What comes out of a run: its folder, the summary, progress and tables on the terminal, and pages to look at.

`run_folder` is the heart; `progress`, `tables`, `compare` and `report.page` are imported where they are used, so that what
only writes a folder loads neither rich nor Jinja.
"""

from coterie.reporting.facts import Facts, Model, Partition, Roles
from coterie.reporting.run_folder import RunFolder
from coterie.reporting.summary import Estimate, Outcome, Spread, Summary, spreads

__all__ = ["Estimate", "Facts", "Model", "Outcome", "Partition", "Roles", "RunFolder", "Spread", "Summary", "spreads"]
