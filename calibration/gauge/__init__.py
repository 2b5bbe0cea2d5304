"""Studies of the station as a gauge: what its measurements are worth."""
