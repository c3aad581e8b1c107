"""Zero mean and unit variance."""

from coterie.tasks.frame import Frame, Scope
from coterie.tasks.moments import Moments
from coterie.tasks.preprocessing import stage


@stage("standardize")
def standardize(frame: Frame, *, columns: tuple[str | int, ...] | None = None, scope: Scope = "node") -> Frame:
    """Subtract the mean and divide by the standard deviation: of each column, or of each channel of images.

    Columns of categories are left alone unless named; missing values stay missing; a constant column becomes 0.
    """
    chosen = frame.select(columns)
    own = Moments.of(frame.train_values(chosen), frame.train)
    together = own.combined()
    used = own if scope == "node" else together
    frame.rescale(chosen, used.means, used.deviations, (together.means[0], together.deviations[0]))
    return frame
