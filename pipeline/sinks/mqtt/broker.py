"""The line to an MQTT broker. paho stays in here; its own thread connects, again and again with back-off."""

import logging
import threading

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipeline.bridge_settings import MqttSettings, check_broker, read_password, tls_context
from pipeline.sinks.mqtt.topics import Publication

log = logging.getLogger(__name__)

QOS = 1
KEEPALIVE_S = 10
CONNECT_LIMIT_S = 5.0
FIRST_BACK_OFF_S, LAST_BACK_OFF_S = 1, 30


class Broker:
    """A client of the broker with a will, and one publication under way at a time.

    A publication that was begun goes out again after a break, until the broker acknowledges it.

    Attributes:
        connections: how often the broker was reached.
    """

    def __init__(self, settings: MqttSettings, client_id: str, will: Publication) -> None:
        """Nothing is connected yet. Raises ConfigError for settings that reach no broker."""
        check_broker(settings)
        self.connections = 0
        self._where = settings.broker
        self._fault = ""
        self._is_refused = self._is_closing = False
        self._up = threading.Event()
        self._change = threading.Condition()
        self._sent: int | None = None  # what is under way
        self._acknowledged: set[int] = set()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=True, protocol=MQTTProtocolVersion.MQTTv311
        )
        if settings.is_secure:
            self._client.tls_set_context(tls_context(settings))
        if settings.user:
            self._client.username_pw_set(settings.user, read_password(settings) or None)
        self._client.will_set(will.topic, will.payload, QOS, will.retained)
        self._client.reconnect_delay_set(FIRST_BACK_OFF_S, LAST_BACK_OFF_S)
        self._client.connect_timeout = CONNECT_LIMIT_S
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.connect_async(*settings.address, keepalive=KEEPALIVE_S)

    @property
    def is_up(self) -> bool:
        """Whether the broker has accepted us and has not gone since."""
        return self._up.is_set()

    def start(self) -> None:
        """Connect, and again after each loss, for ever."""
        self._client.loop_start()

    def publish(self, publication: Publication) -> None:
        """Send. Nothing else may be under way."""
        with self._change:
            self._acknowledged.clear()
        self._sent = self._client.publish(publication.topic, publication.payload, QOS, publication.retained).mid

    def is_done(self, timeout_s: float) -> bool:
        """Whether nothing is under way; waits for the broker's acknowledgement, at most so long."""
        if self._sent is None:
            return True
        with self._change:
            if not self._change.wait_for(lambda: self._sent in self._acknowledged, timeout_s):
                return False
        self._sent = None
        return True

    def close(self) -> None:
        """End in order: the broker publishes no will."""
        self._is_closing = True
        self._up.clear()
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self,
        _client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._is_refused = reason.is_failure
        if self._is_refused:
            self._say(f"refuses us: {reason}")
            return
        self.connections += 1
        self._up.set()
        self._say("")

    def _on_connect_fail(self, _client: Client, _userdata: object) -> None:
        self._say("cannot be reached")

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self._up.is_set():
            self._up.clear()
            self._say(f"has gone: {reason}")
        elif not self._is_refused and not self._is_closing:
            self._say(f"does not answer as one: {reason}")

    def _on_publish(
        self, _client: Client, _userdata: object, number: int, _reason: ReasonCode, _properties: Properties
    ) -> None:
        with self._change:
            self._acknowledged.add(number)
            self._change.notify()

    def _say(self, fault: str) -> None:
        """One line for each change, not one for each attempt."""
        if fault and fault != self._fault:
            log.warning("the broker %s %s", self._where, fault)
        elif not fault:
            log.info("the broker %s takes our messages", self._where)
        self._fault = fault
