"""What can go wrong between a network and a backend; the caller maps it to an error of its own."""


class EngineProblem(Exception):  # noqa: N818 - the two kinds below say what happened
    """A network cannot be run."""

    def __init__(self, what: str, next: str = "") -> None:  # noqa: A002 - read as `problem.next`
        """Say `what` is wrong in one line and, where something can be done, what comes next."""
        self.what, self.next = what, next
        super().__init__(f"{what}; next: {next}" if next else what)


class EngineUnavailable(EngineProblem):
    """The backend is unknown or its library is not installed."""


class EngineRefused(EngineProblem):
    """The backend does not accept the network, or the inputs given to it."""


def one_line(problem: Exception) -> str:
    """What a library says, which may be pages, as one line."""
    return " ".join(str(problem).split())[:300]
