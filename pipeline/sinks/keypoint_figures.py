"""The figures of the keypoints, which show that a picture gets worse before parts are turned away."""

from prometheus_client import CollectorRegistry, Counter, Summary

from pipeline.result import Keypoint, KeypointState

MOST_KEYPOINTS = 256  # of all recipes since the start; each is five series
REST = "rest"  # view and name of those that came later


class KeypointFigures:
    """How visible each keypoint was, and in which state it was reported."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._states = Counter(
            "datumd_keypoints", "Keypoints reported, by state.", ["view", "keypoint", "state"], registry=registry
        )
        self._visibility = Summary(
            "datumd_keypoint_visibility_ratio",
            "Probability of being visible, of keypoints that were not hidden.",
            ["view", "keypoint"],
            registry=registry,
        )
        self._known: set[tuple[str, str]] = set()

    def observe(self, keypoint: Keypoint) -> None:
        """Take a keypoint into account. A missing feature is the part's fault, not the picture's: hidden ones lower no mean."""
        labels = self._labels(keypoint)
        self._states.labels(*labels, keypoint.state.value).inc()
        if keypoint.state is not KeypointState.hidden:
            self._visibility.labels(*labels).observe(keypoint.visibility)

    def _labels(self, keypoint: Keypoint) -> tuple[str, str]:
        key = keypoint.view, keypoint.name
        if key not in self._known:
            if len(self._known) >= MOST_KEYPOINTS:
                return REST, REST
            self._known.add(key)
            self._visibility.labels(*key)
            for state in KeypointState:
                self._states.labels(*key, state.value)
        return key
