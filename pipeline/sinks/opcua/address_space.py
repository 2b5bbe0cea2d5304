"""The nodes of the table as nodes of a server: built once, written where something has changed, and the events."""

import copy
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from asyncua import ua
from asyncua.common.events import get_event_obj_from_type_node
from asyncua.common.node import Node
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from pipeline.sinks.opcua.nodes import (
    AUTOMATIC,
    EVENTS,
    FOLDERS,
    LATEST,
    METHODS,
    NAMESPACE,
    STATE_MACHINE,
    SYSTEM,
    VARIABLES,
    Argument,
    Method,
)
from pipeline.sinks.opcua.result_fields import NEVER, RESULT
from pipeline.sinks.opcua.signals import OPERATIONAL, Happened, Kind, Outputs, Shown, VisionState

Callback = Callable[..., Awaitable[Any]]

_DEFAULTS = {"Boolean": False, "Int32": 0, "Int64": 0, "UInt32": 0, "Double": 0.0, "String": "", "DateTime": NEVER}
_MACHINES = {STATE_MACHINE: "VisionStateMachineType", AUTOMATIC: "VisionAutomaticModeStateMachineType"}
_STATES = {
    STATE_MACHINE: {"Preoperational": 1, "Halted": 2, "Error": 3, "Operational": OPERATIONAL},
    AUTOMATIC: {state.name: int(state) for state in VisionState if state > OPERATIONAL},
}
_SEVERITY, _SEVERITY_OF_ERRORS = 100, 700


def variant(value: object, kind: str) -> ua.Variant:
    """A value of a kind of the table."""
    built_in = getattr(ua.VariantType, kind.removesuffix("[]"))
    return ua.Variant(value, built_in, is_array=kind.endswith("[]"))


class AddressSpace:
    """Made and used in the server's loop."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._index = 0
        self._events: dict[Kind, Any] = {}
        self._written: dict[str, object] = {}
        self._shown: Outputs | None = None
        self._latest: Shown | None = None

    def node_id(self, path: str) -> ua.NodeId:
        """Of a path of the table."""
        return ua.NodeId(ua.String(path), ua.Int16(self._index))

    def _name(self, name: str) -> ua.QualifiedName:
        return ua.QualifiedName(name, self._index)

    async def build(self, methods: dict[str, Callback]) -> None:
        """Make all nodes. `methods`: what carries out each method of the table, by its path."""
        self._index = await self._server.register_namespace(NAMESPACE)
        for path in FOLDERS:
            await self._add_object(path)
        for parent, fields in VARIABLES:
            for field in fields:
                await self._add_variable(f"{parent}.{field.name}", field.kind, field.meaning)
        for shown in RESULT:
            await self._add_variable(f"{LATEST}.{shown.name}", shown.kind, shown.meaning)
        for method in METHODS:
            await self._add_method(method, methods[method.path])
        base = await self._event_type(self._server.get_node(ObjectIds.BaseEventType), "VisionEventType")
        for kind in Kind:
            await self._add_event(base, kind)
        for emitter in (self.node_id(SYSTEM), _standard(ObjectIds.Server)):
            await self._server.get_node(emitter).set_event_notifier([ua.EventNotifier.SubscribeToEvents])

    def _parent(self, path: str) -> Node:
        above = path.rpartition(".")[0]
        return self._server.get_node(self.node_id(above)) if above else self._server.nodes.objects

    async def _add_object(self, path: str) -> None:
        name = self._name(path.rpartition(".")[2])
        if path not in _MACHINES:
            await self._parent(path).add_object(self.node_id(path), name)
            return
        base = self._server.get_node(ObjectIds.FiniteStateMachineType)
        kind = await base.add_object_type(self.node_id(_MACHINES[path]), self._name(_MACHINES[path]))
        machine = await self._parent(path).add_object(
            self.node_id(path), name, objecttype=kind.nodeid, instantiate_optional=False
        )
        current = self._server.get_node(self.node_id(f"{path}.CurrentState"))
        await current.add_property(
            self.node_id(f"{path}.CurrentState.Number"), ua.QualifiedName("Number"), 0, ua.VariantType.UInt32
        )
        for state, number in _STATES[path].items():
            node = await machine.add_object(
                self.node_id(f"{path}.{state}"), self._name(state), objecttype=_standard(ObjectIds.StateType)
            )
            await (await node.get_child("0:StateNumber")).write_value(number, ua.VariantType.UInt32)

    async def _add_variable(self, path: str, kind: str, meaning: str) -> None:
        default = [] if kind.endswith("[]") else _DEFAULTS[kind]
        node = await self._parent(path).add_variable(
            self.node_id(path), self._name(path.rpartition(".")[2]), variant(default, kind)
        )
        await self._describe(node, meaning)
        if kind.endswith("[]"):
            await node.write_value_rank(ua.ValueRank.OneDimension)

    async def _describe(self, node: Node, meaning: str) -> None:
        described = ua.DataValue(ua.Variant(ua.LocalizedText(meaning), ua.VariantType.LocalizedText))
        await node.write_attribute(AttributeIds.Description, described)

    async def _add_method(self, method: Method, callback: Callback) -> None:
        node = await self._parent(method.path).add_method(
            self.node_id(method.path),
            self._name(method.name),
            callback,
            [_argument(each) for each in method.inputs],
            [_argument(each) for each in method.outputs],
        )
        await self._describe(node, method.meaning)

    async def _event_type(self, base: Node, name: str) -> Node:
        return await base.add_object_type(self.node_id(name), self._name(name))

    async def _add_event(self, base: Node, kind: Kind) -> None:
        node = await self._event_type(base, kind)
        for field in EVENTS[kind][1]:
            default = [] if field.kind.endswith("[]") else _DEFAULTS[field.kind]
            await node.add_property(
                self.node_id(f"{kind}.{field.name}"), self._name(field.name), variant(default, field.kind)
            )
        event: Any = await get_event_obj_from_type_node(node)  # its fields are made as it goes
        event.SourceNode, event.SourceName = self.node_id(SYSTEM), SYSTEM
        event.Severity = _SEVERITY_OF_ERRORS if kind is Kind.Error else _SEVERITY
        self._events[kind] = event

    async def fire(self, happened: Happened) -> None:
        """Give an event to whoever monitors the vision system or the server."""
        if not self._server.iserver.subscription_service.subscriptions:
            return
        event = copy.copy(self._events[happened.kind])
        event.EventId = uuid.uuid4().bytes
        event.Time = event.ReceiveTime = datetime.now(UTC)
        event.Message = ua.LocalizedText(happened.text or happened.kind.removesuffix("EventType"))
        for field in EVENTS[happened.kind][1]:
            setattr(event, field.name, field.get(happened))
        for emitter in (self.node_id(SYSTEM), _standard(ObjectIds.Server)):
            event.emitting_node = emitter
            await self._server.iserver.subscription_service.trigger_event(event)

    async def show(self, outputs: Outputs) -> None:
        """Write what has changed."""
        if outputs == self._shown:
            return
        self._shown = outputs
        for parent, fields in VARIABLES:
            for field in fields:
                await self._write(f"{parent}.{field.name}", field.get(outputs), field.kind)
        if outputs.latest is not None and outputs.latest is not self._latest:
            self._latest = outputs.latest
            for shown in RESULT:
                await self._write(f"{LATEST}.{shown.name}", shown.get(outputs.latest), shown.kind)
        operational = outputs.state > OPERATIONAL
        await self._write_state(STATE_MACHINE, "Operational" if operational else outputs.state.name)
        await self._write_state(AUTOMATIC, outputs.state.name if operational else "")

    async def _write_state(self, path: str, state: str) -> None:
        """The state of a machine; "": it is not active."""
        current = f"{path}.CurrentState"
        if self._written.get(current) == state:
            return
        self._written[current] = state
        status = ua.StatusCode(ua.UInt32(StatusCodes.Good if state else StatusCodes.BadStateNotActive))
        values = {
            current: ua.Variant(ua.LocalizedText(state), ua.VariantType.LocalizedText),
            f"{current}.Id": ua.Variant(
                self.node_id(f"{path}.{state}") if state else ua.NodeId(), ua.VariantType.NodeId
            ),
            f"{current}.Number": ua.Variant(_STATES[path].get(state, 0), ua.VariantType.UInt32),
        }
        for each, value in values.items():
            await self._put(each, value, status)

    async def _write(self, path: str, value: object, kind: str) -> None:
        if path in self._written and self._written[path] == value:
            return
        self._written[path] = value
        await self._put(path, variant(value, kind), ua.StatusCode())

    async def _put(self, path: str, value: ua.Variant, status: ua.StatusCode) -> None:
        now: Any = datetime.now(UTC)  # as asyncua itself writes it
        data = ua.DataValue(value, status, SourceTimestamp=now, ServerTimestamp=now)
        await self._server.write_attribute_value(self.node_id(path), data)

    def harmless(self) -> set[ua.NodeId]:
        """Methods that change nothing."""
        return {self.node_id(each.path) for each in METHODS if not each.changes}


def _argument(argument: Argument) -> ua.Argument:
    kind = getattr(ObjectIds, argument.kind.removesuffix("[]"))
    return ua.Argument(
        Name=argument.name,
        DataType=_standard(kind),
        ValueRank=ua.Int32(1 if argument.kind.endswith("[]") else -1),
        ArrayDimensions=[],
        Description=ua.LocalizedText(argument.meaning),
    )


def _standard(number: int) -> ua.NodeId:
    """A node of OPC UA's own."""
    return ua.NodeId(ua.Int32(number))
