"""THE node table: variables, methods and events, one line each. The server and docs/opcua.md both read it.

Browse names are those of OPC 40100-1 and OPC 40001-101 where these have one for it; the node id of everything below Objects is
`ns=2;s=` and its path with dots, as in `ns=2;s=VisionSystem.ResultManagement.Latest.Pass`.
"""

from dataclasses import dataclass

from pipeline.sinks.opcua.result_fields import RESULT, Field
from pipeline.sinks.opcua.signals import Happened, Kind, Outputs, Shown, Verdict

NAMESPACE = "urn:datumd:vision"
SYSTEM = "VisionSystem"
STATE_MACHINE = f"{SYSTEM}.VisionStateMachine"
AUTOMATIC = f"{STATE_MACHINE}.AutomaticModeStateMachine"
RECIPES = f"{SYSTEM}.RecipeManagement"
RESULTS = f"{SYSTEM}.ResultManagement"
JOB = f"{SYSTEM}.Job"
LATEST = f"{RESULTS}.Latest"
FOLDERS = (SYSTEM, STATE_MACHINE, AUTOMATIC, JOB, RECIPES, RESULTS, LATEST)
MOST_LISTED = 100  # results in one answer of GetResultListFiltered


@dataclass(frozen=True, slots=True)
class Argument:
    """Of a method."""

    name: str
    kind: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Method:
    """What a client may call; `changes` the station, so that an observer may not."""

    parent: str
    name: str
    meaning: str
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    changes: bool = True

    @property
    def path(self) -> str:
        """Below Objects."""
        return f"{self.parent}.{self.name}"


VARIABLES: tuple[tuple[str, tuple[Field[Outputs], ...]], ...] = (
    (
        SYSTEM,
        (
            Field("Online", "Boolean", "the station is heard", lambda o: o.online),
            Field(
                "State", "Int32", "number of the state, as in its table; 5 to 8 are Operational", lambda o: int(o.state)
            ),
            Field("Station", "String", "its name", lambda o: o.station),
            Field("Version", "String", "of its daemon", lambda o: o.version),
            Field("StationText", "String", "what it says of itself", lambda o: o.text),
            Field("ErrorCause", "Int32", "of the newest error, as Cause; stays until the next", lambda o: int(o.error)),
            Field("ErrorText", "String", "the same in words", lambda o: o.error_text),
        ),
    ),
    (
        JOB,
        (
            Field("JobId", "String", "the newest single job", lambda o: o.job_id),
            Field("PartId", "String", "as it was given to StartSingleJob", lambda o: o.job_part_id),
            Field("IsOpen", "Boolean", "it has not ended yet", lambda o: o.job_open),
            Field(
                "Pass", "Boolean", "all its parts pass by their own answers", lambda o: o.job_verdict is Verdict.PASS
            ),
            Field("Fail", "Boolean", "a part has a fault. Both false: reject", lambda o: o.job_verdict is Verdict.FAIL),
            Field("Cause", "Int32", "why there is no verdict, as Cause", lambda o: int(o.job_cause)),
        ),
    ),
    (
        RECIPES,
        (
            Field("ActiveRecipe", "Int32", "number of the recipe at work, -1 none", lambda o: o.recipe),
            Field("RecipeNumbers", "Int32[]", "recipes of the station", lambda o: [each.number for each in o.recipes]),
            Field("RecipeNames", "String[]", "in the same order", lambda o: [each.name for each in o.recipes]),
            Field(
                "RecipeFaults",
                "String[]",
                "why one cannot be prepared; empty where it can",
                lambda o: [each.fault for each in o.recipes],
            ),
        ),
    ),
    (
        RESULTS,
        (
            Field("Passed", "Int64", "results since the bridge began: shown with Pass", lambda o: o.counts[0]),
            Field("Failed", "Int64", "with Fail", lambda o: o.counts[1]),
            Field("NoVerdict", "Int64", "with neither", lambda o: o.counts[2]),
            Field("Late", "Int64", "of those, older than the window", lambda o: o.counts[3]),
            Field("Lost", "Int64", "that the station's journal has no more", lambda o: o.counts[4]),
        ),
    ),
)

_CAUSED = (
    Argument("cause", "Int32", "the client's number; 0 unspecified"),
    Argument("causeDescription", "String", "is logged"),
)
_ERROR = Argument("error", "Int32", "0")

METHODS = (
    Method(STATE_MACHINE, "SelectModeAutomatic", "Preoperational: mirror the station again", (), (_ERROR,)),
    Method(
        STATE_MACHINE, "Halt", "stop the station; no verdicts until Reset and SelectModeAutomatic", _CAUSED, (_ERROR,)
    ),
    Method(STATE_MACHINE, "Reset", "stop the station, end what is open, go to Preoperational", _CAUSED, (_ERROR,)),
    Method(
        AUTOMATIC,
        "StartSingleJob",
        "Ready: trigger the cameras for this part; returns when the station has taken it up",
        (
            Argument("partId", "String", "printable ASCII, 128 characters at most; may be empty"),
            Argument("recipeId", "Int32", "0, or the recipe that must be at work"),
        ),
        (Argument("jobId", "String", "its result carries it"), _ERROR),
    ),
    Method(
        AUTOMATIC,
        "StartContinuous",
        "Ready: inspect each trigger of the line",
        (Argument("recipeId", "Int32", "0, or the recipe that must be at work"),),
        (Argument("jobId", "String", "results carry it until Stop"), _ERROR),
    ),
    Method(AUTOMATIC, "Stop", "end ContinuousExecution; a single job ends by itself", _CAUSED, (_ERROR,)),
    Method(AUTOMATIC, "Abort", "as Stop; a single job ends without a verdict", _CAUSED, (_ERROR,)),
    Method(
        RECIPES,
        "PrepareRecipe",
        "inspect by this recipe from the next part on; RecipePrepared follows",
        (Argument("recipeId", "Int32", "one of RecipeNumbers"),),
        (_ERROR,),
    ),
    Method(
        RESULTS,
        "GetResultById",
        "one of the newest results",
        (Argument("resultId", "String", ""),),
        tuple(Argument(field.name, field.kind, field.meaning) for field in RESULT),
        changes=False,
    ),
    Method(
        RESULTS,
        "GetResultListFiltered",
        "of the newest results those after a place, oldest first. Empty and 0 select all",
        (
            Argument("afterSession", "Int64", "Session of the last result that the client has"),
            Argument("afterSequence", "Int64", "its Sequence"),
            Argument("partId", "String", ""),
            Argument("jobId", "String", ""),
            Argument("recipeId", "Int32", ""),
            Argument("resultState", "Int32", ""),
            Argument("maxResults", "Int32", f"{MOST_LISTED} at most"),
        ),
        (
            Argument("isComplete", "Boolean", "false: ask again after the last of these"),
            Argument("resultIds", "String[]", ""),
            Argument("resultContents", "String[]", "as ResultContent"),
            Argument("error", "Int32", "0; -11: between the place and the first of these, results are missing here"),
        ),
        changes=False,
    ),
)


def _shown(field: Field[Shown]) -> Field[Happened]:
    def get(happened: Happened) -> object:
        assert happened.shown is not None, "an event of a result carries it"  # noqa: S101 - told to mypy
        return field.get(happened.shown)

    return Field(field.name, field.kind, field.meaning, get)


_JOB_ID: Field[Happened] = Field("JobId", "String", "the job", lambda h: h.job_id)
_PART_ID: Field[Happened] = Field("PartId", "String", "the part's", lambda h: h.part_id)
_CAUSE: Field[Happened] = Field("Cause", "Int32", "as Cause", lambda h: int(h.cause))
_PASS: Field[Happened] = Field("Pass", "Boolean", "of the job that has ended", lambda h: h.verdict is Verdict.PASS)
_FAIL: Field[Happened] = Field("Fail", "Boolean", "of the job that has ended", lambda h: h.verdict is Verdict.FAIL)
_DONE = ("ResultId", "TriggerNumber", "Session", "Sequence")

EVENTS: dict[Kind, tuple[str, tuple[Field[Happened], ...]]] = {
    Kind.StateChanged: (
        "the state is another one",
        (
            Field("FromState", "String", "name", lambda h: h.before.name),
            Field("ToState", "String", "name", lambda h: h.after.name),
        ),
    ),
    Kind.RecipePrepared: ("a recipe is at work", (Field("InternalRecipeId", "Int32", "number", lambda h: h.recipe),)),
    Kind.JobStarted: ("StartSingleJob was called, or ContinuousExecution has begun", (_JOB_ID, _PART_ID)),
    Kind.Ready: (
        "StartSingleJob may be called; after a job with its verdict",
        (_JOB_ID, _PART_ID, _PASS, _FAIL, _CAUSE),
    ),
    Kind.AcquisitionDone: (
        "the pictures are taken. The bridge learns it with the answer, not before",
        (_JOB_ID, _PART_ID, *(_shown(field) for field in RESULT if field.name in _DONE)),
    ),
    Kind.ResultReady: ("a result; one event for each part", tuple(_shown(field) for field in RESULT)),
    Kind.Error: ("a job has ended without an answer, or the station is in error", (_JOB_ID, _PART_ID, _CAUSE)),
    Kind.ErrorResolved: ("the state Error is left", ()),
}
