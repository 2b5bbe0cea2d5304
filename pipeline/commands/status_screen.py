"""The screen of `datumd status`: what a StationWatch knows, laid out for a terminal of any size (rich)."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from pipeline.commands.station_watch import StationWatch
from pipeline.result import Result
from pipeline.result_text import line, printable
from pipeline.status import StationState, Status

SILENT_S = 3.0  # a station speaks once a second
_WIDE = 110  # columns from which cameras and processes stand side by side
_FEWEST = 3  # rows that the last rejects get, at least
_MOST_REASONS = 4
_STYLES = {
    StationState.ContinuousExecution: "bold green",
    StationState.SingleExecution: "bold green",
    StationState.Error: "bold red",
    StationState.Halted: "bold red",
}
_VERDICTS = {"OK": "green", "NOT_OK": "red", "NOT_DECIDABLE": "yellow", "UNDEFINED": "magenta"}


class StatusScreen:
    """One picture of a station, at `now_ns` of CLOCK_MONOTONIC."""

    def __init__(self, watch: StationWatch, now_ns: int) -> None:
        """Nothing is laid out before it is drawn."""
        self._watch, self._now_ns = watch, now_ns

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Everything but the rejects first, which take the lines that are left."""
        cameras, processes = [_cameras(self._watch), *_reasons(self._watch)], _processes(self._watch)
        beside = Table.grid(padding=(0, 3))
        beside.add_row(Group(*cameras), processes)
        middle = beside if options.max_width >= _WIDE else Group(*cameras, processes)
        top = Group(*self._head(), middle)
        used = len(console.render_lines(top, options))
        height = options.height or console.height
        yield top
        yield from _rejects(self._watch.rejects, max(_FEWEST, height - used - 2))

    def _head(self) -> Iterable[RenderableType]:
        status, quiet_s = self._watch.status, self._watch.quiet_s(self._now_ns)
        name = Text.assemble((f" {printable(status.station)} ", "bold reverse"), "  ")
        if quiet_s > SILENT_S:
            name.append(f"not heard for {quiet_s:.0f} s", "bold red")
            name.append(f", before that {status.state.value}", "dim")
        else:
            name.append(status.state.value, _STYLES.get(status.state, "bold yellow"))
            name.append(f"  {printable(status.text)}")
        yield _cut(name)
        yield _cut(Text(f"{_recipe(status)}   datumd {status.version}, {printable(status.backend)}", "dim"))
        yield _cut(self._counts())
        yield _cut(self._speed())
        if not status.journal.fault and not status.evidence.fault:
            kept = f"journal ok   pictures {status.evidence.images} kept, {status.evidence.lost} lost"
            yield _cut(Text(kept, "dim" if not status.evidence.lost else "yellow"))
        for what, fault in (("journal", status.journal.fault), ("pictures", status.evidence.fault)):
            if fault:
                yield _cut(Text(f"{what}: {printable(fault)}", "bold red"))

    def _counts(self) -> Text:
        status = self._watch.status
        text = Text(f"triggers {status.triggers}   open {status.open_parts}")
        total = sum(status.results.values())
        for name in sorted(status.results, key=lambda name: list(_VERDICTS).index(name) if name in _VERDICTS else 9):
            text.append(f"   {printable(name)} {status.results[name]}", _VERDICTS.get(name, ""))
        if total:
            text.append(f"   yield {100 * status.results.get('OK', 0) / total:.1f} %")
        return text

    def _speed(self) -> Text:
        rate, latency = self._watch.rate_hz, self._watch.latency_ms
        text = Text(f"rate {'-' if rate is None else f'{rate:.1f}'} triggers/s   frame to answer ")
        if latency is None:
            return text.append("-")
        p50, p99, largest = latency
        return text.append(f"p50 {p50:.1f}  p99 {p99:.1f}  max {largest:.1f} ms")


def _recipe(status: Status) -> str:
    number = "-" if status.recipe_id is None else str(status.recipe_id)
    return f"recipe {number} {printable(status.product_id)} {status.configuration_id[:12]}   since {status.started_time[:19]}"


def _cameras(watch: StationWatch) -> Table:
    table = _table("camera", "state", ">frames", "triggers", "losses since the start")
    for camera in watch.status.cameras:
        losses = ", ".join(f"{printable(kind)} {count}" for name, kind, count in watch.losses if name == camera.camera)
        state = Text("up", "green") if camera.up else Text(f"DOWN {printable(camera.text)}", "bold red")
        lost = Text(losses or "none", "yellow" if losses else "dim")
        table.add_row(printable(camera.camera), state, str(camera.frames), printable(camera.triggers), lost)
    return table


def _reasons(watch: StationWatch) -> Iterable[RenderableType]:
    if watch.reasons:
        table = _table("reasons of rejects", ">count")
        for text, count in watch.reasons[:_MOST_REASONS]:
            table.add_row(printable(text), str(count))
        yield table


def _processes(watch: StationWatch) -> Table:
    table = _table("process", ">pid", "state", ">cpu", ">memory", ">restarts")
    shares = watch.shares
    for process in watch.status.processes:
        share = f"{100 * shares[process.name]:.0f} %" if process.name in shares else "-"
        memory = f"{process.resident_bytes / 2**20:.0f} MiB"
        restarts = Text(str(process.restarts), "yellow" if process.restarts else "dim")
        table.add_row(process.name, str(process.pid), process.state, share, memory, restarts)
    return table


def _rejects(rejects: Iterable[Result], rows: int) -> Iterable[RenderableType]:
    newest = list(rejects)[::-1][: max(0, rows)]
    yield Rule("last rejects" if newest else "no reject since you look", style="dim", align="left")
    for result in newest:
        time = result.answered_time[11:19]
        yield _cut(Text(f"{time} {line(result)}", _VERDICTS.get(result.result_evaluation.value, "")))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(
            name.lstrip(">"), justify="right" if name[0] == ">" else "left", overflow="ellipsis", no_wrap=True
        )
    return table


def _cut(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
