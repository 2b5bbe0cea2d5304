"""Control charts over what masters measure: Shewhart's for a jump, weighted means for a slow drift and for what scatters."""

import math
import statistics

import msgspec

BASELINE = 10  # first values of a chart: what the later ones are held to
WEIGHT = 0.2  # of the newest value in the weighted mean (NIST/SEMATECH e-Handbook 6.3.2.4)
FEWEST_DIFFERENCES = 5  # that tell a scatter
SCATTERS = 2.0  # times the baseline's is no chance any more
LEAST_RELATIVE = 1e-9  # standard deviation of values that do not scatter at all, of their size


class Chart(msgspec.Struct):
    """One measurement of one master.

    Attributes:
        first: up to BASELINE values; their mean and standard deviation hold for those that follow.
        mean: exponentially weighted, of those.
        count: of those.
        last: the newest value.
        stated: its standard uncertainty, 0 where none is stated.
        differences: exponentially weighted mean of half the squared differences between values and those before them: their
            variance, whether they drift or not.
    """

    first: list[float] = []
    mean: float = 0.0
    count: int = 0
    last: float = 0.0
    stated: float = 0.0
    differences: float = 0.0

    def add(self, value: float, stated: float | None) -> None:
        """One more value. One that is no number is left out."""
        if not math.isfinite(value):
            return
        before = self.last
        self.last, self.stated = value, stated or 0.0
        if len(self.first) < BASELINE:
            self.first = [*self.first, value]
            self.mean = statistics.fmean(self.first)
            return
        self.count += 1
        self.mean = WEIGHT * value + (1.0 - WEIGHT) * self.mean
        half_square = (value - before) ** 2 / 2.0
        weight = max(WEIGHT, 1.0 / self.count)  # the first ones count alike
        self.differences = weight * half_square + (1.0 - weight) * self.differences

    def alarm(self, limit: float) -> str:
        """What is out of control, with limits so many standard deviations about the baseline's mean; "" where nothing is.

        The standard deviation is that of the baseline, or the stated uncertainty where that is larger: ten values that lie
        close together by chance are no reason to ring.
        """
        if self.count == 0:
            return ""
        centre = statistics.fmean(self.first)
        sigma = max(statistics.stdev(self.first), self.stated, LEAST_RELATIVE * max(abs(centre), 1.0))
        if abs(self.last - centre) > limit * sigma:
            return f"{self.last:.5g} lies {abs(self.last - centre) / sigma:.1f} sigma from {centre:.5g}"
        spread = sigma * math.sqrt(WEIGHT / (2.0 - WEIGHT) * (1.0 - (1.0 - WEIGHT) ** (2 * self.count)))
        if abs(self.mean - centre) > limit * spread:
            return f"drifts: the mean is {self.mean:.5g}, was {centre:.5g}"
        scatter = math.sqrt(self.differences)
        if self.count >= FEWEST_DIFFERENCES and scatter > SCATTERS * sigma:
            return f"repeats worse: scatters by {scatter:.2g}, was {sigma:.2g}"
        return ""
