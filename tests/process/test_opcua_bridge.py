"""`datumd bridge opcua` as its own process, spoken to by asyncua's client; the ledger is played by the test."""

import asyncio
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("asyncua", reason="needs the extra opcua; next: pip install 'datumd[opcua]'")

from asyncua import Client, Node, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua.uaerrors import BadInvalidState, BadNoCommunication, BadUserAccessDenied, UaStatusCodeError

from pipeline.sinks.opcua.nodes import AUTOMATIC, NAMESPACE, RESULTS, STATE_MACHINE, SYSTEM
from pipeline.sinks.opcua.signals import Cause, VisionState
from pipeline.sinks.opcua.trust import TrustFolder
from pipeline.sinks.opcua.users import add_user
from tests.played_line import PlayedLine, Say, answer_of, say_by_number
from tests.played_stations import PlayedStation

pytestmark = pytest.mark.time_limit_s(180)

BRIDGE = [sys.executable, "-m", "pipeline", "bridge", "opcua"]
CAUSED = (ua.Variant(0, ua.VariantType.Int32), "")
Place = tuple[int, int]
Bridged = Callable[..., tuple[PlayedLine, str, "subprocess.Popen[str]"]]


@pytest.fixture
def bridged(run_dir: Path, station_name: str, free_port: Callable[[], int]) -> Iterator[Bridged]:
    """Starts a played station and a bridge; gives the line, the bridge's address and its process."""
    with ExitStack() as stack:

        def start(say: Say, *options: str) -> tuple[PlayedLine, str, "subprocess.Popen[str]"]:
            station = PlayedStation(run_dir, station_name, free_port(), free_port())
            stack.callback(station.close)
            line = PlayedLine(station, say)
            stack.enter_context(line.playing())
            port = free_port()
            command = [*BRIDGE, station.endpoint, "--bind", f"127.0.0.1:{port}", *options]
            bridge = stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
            stack.callback(bridge.kill)
            _wait_for(bridge, port)
            return line, f"opc.tcp://127.0.0.1:{port}/datumd", bridge

        yield start


def _wait_for(bridge: "subprocess.Popen[str]", port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and bridge.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


class Line:
    """What a client of ours does."""

    def __init__(self, client: Client, index: int) -> None:
        self.client, self.index = client, index
        self.heard: list[Any] = []

    @classmethod
    async def of(cls, client: Client) -> "Line":
        line = cls(client, await client.get_namespace_index(NAMESPACE))
        subscription = await client.create_subscription(20, line)
        kinds = [line.node(kind) for kind in ("ResultReadyEventType", "ErrorEventType", "ReadyEventType")]
        await subscription.subscribe_events(line.node(SYSTEM), kinds)
        return line

    def node(self, path: str) -> Node:
        return self.client.get_node(f"ns={self.index};s={path}")

    def event_notification(self, event: Any) -> None:  # noqa: ANN401 - asyncua makes a class for each
        self.heard.append(event)

    def places(self) -> list[Place]:
        """Of the results that came as events; others, such as an error of the system, are of none."""
        return [(event.Session, event.Sequence) for event in self.heard if getattr(event, "Sequence", None) is not None]

    async def read(self, path: str) -> Any:  # noqa: ANN401
        return await self.node(path).read_value()

    async def call(self, path: str, *inputs: Any) -> Any:  # noqa: ANN401
        return await self.node(path.rpartition(".")[0]).call_method(self.node(path).nodeid, *inputs)

    async def state(self, wanted: VisionState) -> None:
        until = time.monotonic() + 20
        while await self.read(f"{SYSTEM}.State") != wanted:
            assert time.monotonic() < until, f"never {wanted.name}"
            await asyncio.sleep(0.01)

    async def job(self, part_id: str) -> Any:  # noqa: ANN401
        """One part: the event that ends its job."""
        await self.state(VisionState.Ready)
        job_id, _ = await self.call(f"{AUTOMATIC}.StartSingleJob", part_id, ua.Variant(0, ua.VariantType.Int32))
        until = time.monotonic() + 20
        while time.monotonic() < until:
            for event in self.heard:
                if event.JobId == job_id and event.Message.Text != "Ready":
                    return event
            await asyncio.sleep(0.01)
        raise AssertionError(f"nothing of job {job_id}")


def test_each_job_has_its_own_answer_and_state_tells_what_may_be_called(bridged: Bridged) -> None:
    line, address, bridge = bridged(say_by_number, "--window-ms", "600")

    async def play() -> None:
        async with Client(address) as client:
            ours = await Line.of(client)
            seen = []
            for number in range(1, 9):
                event = await ours.job(f"SN-{number}")
                assert event.PartId == f"SN-{number}"
                seen.append((getattr(event, "Pass", None), getattr(event, "Fail", None), event.Cause))
            silent = (None, None, Cause.window)
            assert seen == [(True, False, 0), (False, True, 0), (False, False, Cause.station), silent] * 2
            _, ids, contents, _ = await ours.call(f"{RESULTS}.GetResultListFiltered", *_all())
            assert len(ids) == len(contents) == 6
            found = await ours.call(f"{RESULTS}.GetResultById", ids[-1])
            assert found[2] == "SN-7"
            await ours.call(f"{STATE_MACHINE}.Halt", *CAUSED)
            await ours.state(VisionState.Halted)
            with pytest.raises(BadInvalidState):
                await ours.call(f"{AUTOMATIC}.StartSingleJob", "SN", ua.Variant(0, ua.VariantType.Int32))
            await ours.call(f"{STATE_MACHINE}.Reset", *CAUSED)
            await ours.call(f"{STATE_MACHINE}.SelectModeAutomatic")
            await ours.state(VisionState.Ready)
            with pytest.raises(UaStatusCodeError):
                await ours.call(f"{AUTOMATIC}.StartSingleJob", 7, "no number")

    asyncio.run(play())
    assert line.triggers == 8
    bridge.send_signal(signal.SIGTERM)
    assert bridge.wait(30) == 0


def _all() -> tuple[Any, ...]:
    places = [ua.Variant(0, ua.VariantType.Int64)] * 2
    return (*places, "", "", *[ua.Variant(0, ua.VariantType.Int32)] * 3)


async def _secure(address: str, keys: Path, server: Path) -> Client:
    client = Client(address)
    client.application_uri = "urn:there:plc"
    own = keys / "own.der", keys / "own.key.pem"
    await client.set_security(SecurityPolicyBasic256Sha256, *map(str, own), server_certificate=str(server))
    return client


def test_beyond_passwords_and_trusted_certificates_nobody_is_let_in(bridged: Bridged, tmp_path: Path) -> None:
    trust, users = tmp_path / "trust", tmp_path / "users"
    add_user(users, "plc", "operator", "operator's")
    add_user(users, "panel", "observer", "observer's")
    TrustFolder(tmp_path / "client", "urn:there:plc", "127.0.0.1")
    _, address, _ = bridged(answer_of, "--trust", str(trust), "--users", str(users))

    async def made(user: str, password: str) -> Client:
        client = await _secure(address, tmp_path / "client", trust / "own.der")
        if user:
            client.set_user(user)
            client.set_password(password)
        return client

    async def play() -> None:
        open_client = Client(address)
        open_client.set_user("plc")
        open_client.set_password("operator's")
        for refused in (open_client, await made("", ""), await made("plc", "guessed it")):
            with pytest.raises(UaStatusCodeError):
                await refused.connect()
        async with await made("plc", "operator's") as operator:
            assert (await (await Line.of(operator)).job("SN-1")).Pass
        async with await made("panel", "observer's") as observer:
            ours = await Line.of(observer)
            assert await ours.read(f"{RESULTS}.Latest.PartId") == "SN-1"
            with pytest.raises(BadUserAccessDenied):
                await ours.call(f"{STATE_MACHINE}.Halt", *CAUSED)
            with pytest.raises(BadUserAccessDenied):
                await ours.node(f"{RESULTS}.Latest.Pass").write_value(True)
            assert (await ours.call(f"{RESULTS}.GetResultListFiltered", *_all()))[0]
        (rejected,) = (trust / "rejected").iterdir()
        shutil.move(rejected, trust / "trusted")
        async with await made("", "") as client:
            assert (await (await Line.of(client)).job("SN-2")).Pass

    asyncio.run(play())


async def _list_after(ours: Line, place: Place) -> list[Place]:
    """Places of all results after this one, page by page; a bridge that has just begun is asked again."""
    found: list[Place] = []
    until = time.monotonic() + 60
    while time.monotonic() < until:
        session, sequence = found[-1] if found else place
        numbers = [ua.Variant(number, ua.VariantType.Int64) for number in (session, sequence)]
        counts = [ua.Variant(number, ua.VariantType.Int32) for number in (0, 0, 7)]
        try:
            is_complete, _, contents, error = await ours.call(
                f"{RESULTS}.GetResultListFiltered", *numbers, "", "", *counts
            )
        except BadNoCommunication:
            await asyncio.sleep(0.05)
            continue
        assert error == 0
        results = [json.loads(content) for content in contents]
        found += [(result["session"], result["seq"]) for result in results]
        if is_complete:
            return found
    raise AssertionError("the list never was complete")


def test_a_bridge_that_is_killed_costs_no_result_and_gives_none_again(bridged: Bridged) -> None:
    line, address, bridge = bridged(answer_of)
    line.flows = True

    async def play() -> tuple[list[Place], list[Place], list[Place], Place]:
        async with Client(address) as client:
            ours = await Line.of(client)
            await _until(lambda: len(ours.places()) >= 5)
            await asyncio.sleep(random.uniform(0.0, 0.2))
            bridge.kill()
            bridge.wait()
        first = ours.places()
        with subprocess.Popen(bridge.args, stderr=subprocess.PIPE, text=True) as again:
            try:
                _wait_for(again, int(address.split(":")[2].split("/")[0]))
                async with Client(address) as client:
                    ours = await Line.of(client)
                    listed = await _list_after(ours, first[-1])
                    line.flows = False
                    await asyncio.sleep(0.2)
                    last = line.station.session, line.station.seq
                    await _until(lambda: last in (listed[-1], *ours.places()))
            finally:
                again.kill()
        return first, listed, ours.places(), last

    first, listed, second, last = asyncio.run(play())
    assert len(set(first + second)) == len(first + second)
    assert min(listed) > first[-1]
    assert sorted({*first, *listed, *second}) == [(last[0], seq) for seq in range(first[0][1], last[1] + 1)]


async def _until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--bind", "0.0.0.0:4840"], "--trust"), (["--users", "users"], "encrypted"), (["--keep", "0"], "--keep")],
)
def test_what_anybody_could_reach_is_refused(options: list[str], said: str) -> None:
    done = subprocess.run([*BRIDGE, *options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
