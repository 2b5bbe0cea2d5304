"""Who may connect, and what asyncua lets clients do that a machine should not.

asyncua hands out session tokens that count up, and binds a connection to the session of whoever names such a token before it
looks at its user: here tokens cannot be guessed. It lets sessions begin over a channel without security even where no such
endpoint is offered: here they are refused. Publishing intervals have a floor, foreign servers cannot register, and a password
is not taken in an encryption that is known to leak.
"""

import logging
import math
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.ua.status_codes import StatusCodes

from pipeline.errors import ConfigError
from pipeline.sinks.opcua.trust import TrustFolder
from pipeline.sinks.opcua.users import read_users, role_of

log = logging.getLogger(__name__)

LEAK_ALGORITHM = "http://www.w3.org/2001/04/xmlenc#rsa-1_5"
SHORTEST_INTERVAL_MS, LONGEST_INTERVAL_MS = 10.0, 60_000.0
MOST_CONNECTIONS, MOST_SUBSCRIPTIONS = 32, 64
MOST_QUEUED, MOST_UNACKNOWLEDGED = 1000, 200  # events of one monitored item; notifications kept for a republish
LONGEST_SESSION_MS = 120_000.0
LOGIN_S = 10.0  # from the connection to a user
LARGEST_MESSAGE = 1 << 20  # from a client
MOST_UNSENT = 16 << 20  # bytes that a client does not take


NOBODY = User(role=UserRole.Anonymous)


@dataclass
class Client(User):
    """A user who has logged in. `may_change`: may call what changes the station."""

    may_change: bool = False


class Doorkeeper:
    """asyncua's user manager: says who a client is, None where it may not connect."""

    def __init__(self, trust: TrustFolder | None, users: Path | None) -> None:
        """Without `trust` (on the loopback alone) everybody is let in."""
        self._trust, self._users = trust, users

    def get_user(
        self,
        iserver: InternalServer,  # noqa: ARG002 - what asyncua calls
        username: str | None = None,
        password: str | None = None,
        certificate: bytes | None = None,
    ) -> Client | None:
        """By name and password, or by a certificate whose key the client has shown to hold."""
        if self._trust is None:
            return Client(UserRole.User, "local", may_change=True)
        if username is not None:
            return self._by_password(username, password or "")
        if certificate is not None and self._trust.trusts(certificate):
            return Client(UserRole.User, "certificate", may_change=True)
        log.warning("refused a client: its certificate is not in %s", self._trust.folder / "trusted")
        return None

    def _by_password(self, name: str, password: str) -> Client | None:
        try:
            role = None if self._users is None else role_of(read_users(self._users), name, password)
        except ConfigError as problem:
            log.warning("%s", problem)
            role = None
        if role is None:
            log.warning("refused a client: wrong name or password")
            return None
        return Client(UserRole.User, name, may_change=role == "operator")


class Session(InternalSession):
    """One client's session."""

    iserver: "Desk"

    async def create_session(
        self, params: ua.CreateSessionParameters, sockname: tuple[str, int] | None = None
    ) -> ua.CreateSessionResult:
        """Begin, but with security only over an encrypted channel."""
        if self.iserver.is_secured and not self.iserver.is_encrypted(self.name):
            raise ServiceError(StatusCodes.BadSecurityModeInsufficient)
        return await super().create_session(params, sockname)

    async def call(self, params: list[ua.CallMethodRequest]) -> list[ua.CallMethodResult]:
        """Call methods; an observer may call those that change nothing."""
        if not isinstance(self.user, Client):
            raise ServiceError(StatusCodes.BadUserAccessDenied)
        changing = [each for each in params if each.MethodId not in self.iserver.harmless]
        if changing and not self.user.may_change:
            raise ServiceError(StatusCodes.BadUserAccessDenied)
        return await super().call(params)

    async def create_subscription(
        self,
        params: ua.CreateSubscriptionParameters,
        callback: Any,  # noqa: ANN401
        request_callback: Any = None,  # noqa: ANN401
    ) -> ua.CreateSubscriptionResult:
        """Subscribe, at an interval that leaves time for others."""
        asked = params.RequestedPublishingInterval
        interval = asked if math.isfinite(asked) else LONGEST_INTERVAL_MS
        params.RequestedPublishingInterval = min(max(interval, SHORTEST_INTERVAL_MS), LONGEST_INTERVAL_MS)
        return await super().create_subscription(params, callback, request_callback)

    async def transfer_subscriptions(  # type: ignore[override] # as asyncua itself
        self,
        params: ua.TransferSubscriptionsParameters,
        callback: Any,  # noqa: ANN401
    ) -> list[ua.TransferResult]:
        """Take over one's own subscriptions after a lost connection; nobody else's."""
        service = self.subscription_service.subscriptions
        for number in params.SubscriptionIds:
            subscription = service.get(int(number))
            if subscription is not None and self.iserver.owner(subscription.session_id) != self.user.name:
                raise ServiceError(StatusCodes.BadUserAccessDenied)
        results = await super().transfer_subscriptions(params, callback)
        for number in params.SubscriptionIds:
            if (subscription := service.get(int(number))) is not None:
                subscription.pub_request_callback = callback.__self__.get_publish_request
        return results

    def republish(self, params: ua.RepublishParameters) -> ua.NotificationMessage:
        """A notification once more. What is not there is refused: answered with an empty one, clients ask on from the first."""
        subscription = self.subscription_service.subscriptions.get(params.SubscriptionId)
        if subscription is None or self.iserver.owner(subscription.session_id) != self.user.name:
            raise ServiceError(StatusCodes.BadSubscriptionIdInvalid)
        kept = subscription._not_acknowledged_results.get(params.RetransmitSequenceNumber)
        message: ua.NotificationMessage | None = None if kept is None else kept.NotificationMessage
        if message is None:
            raise ServiceError(StatusCodes.BadMessageNotAvailable)
        return message


class Desk(InternalServer):
    """asyncua's server, with sessions of ours.

    Attributes:
        harmless: node ids of methods that an observer may call.
        connections: asyncua's, once it listens.
    """

    def __init__(self, trust: TrustFolder | None, users: Path | None) -> None:
        super().__init__(user_manager=Doorkeeper(trust, users))  # type: ignore[arg-type] # it need not be a subclass
        self.is_secured = trust is not None
        self.harmless: set[ua.NodeId] = set()
        self.connections: list[Any] = []
        self._owners: dict[ua.NodeId, Session] = {}
        self.max_connections, self.max_subscriptions = MOST_CONNECTIONS, MOST_SUBSCRIPTIONS
        self.max_monitored_item_queue_size = MOST_QUEUED
        self.max_unacked_messages_per_subscription = MOST_UNACKNOWLEDGED
        self.max_session_timeout_ms = LONGEST_SESSION_MS
        self.max_pending_activation_seconds = LOGIN_S

    def create_session(
        self,
        name: Any,  # noqa: ANN401
        user: User = NOBODY,
        external: bool = False,
    ) -> InternalSession:
        """A client's session under a token that cannot be guessed."""
        session = Session(self, self.aspace, self.subscription_service, name, user=user, external=external)
        self.unregister_external_session(session)
        session.auth_token = ua.NodeId(ua.ByteString(secrets.token_bytes(32)))
        self.register_external_session(session)
        self._owners = {key: each for key, each in self._owners.items() if self._is_kept(key, each)}
        self._owners[session.session_id] = session
        return session

    def _is_kept(self, session_id: ua.NodeId, session: Session) -> bool:
        """Whether the session lives, or a subscription of it does."""
        lives = session.auth_token in self._external_sessions
        return lives or any(each.session_id == session_id for each in self.subscription_service.subscriptions.values())

    def owner(self, session_id: ua.NodeId) -> str | None:
        """The user's name of a session."""
        session = self._owners.get(session_id)
        return None if session is None else session.user.name

    def is_encrypted(self, peer: Any) -> bool:  # noqa: ANN401 - asyncua's name of a connection
        """Whether this connection's channel is signed and encrypted."""
        for each in self.connections:
            if each.peer_name == peer and each.processor is not None:
                policy = each.processor._connection.security_policy
                return bool(policy.Mode == ua.MessageSecurityMode.SignAndEncrypt)
        return False

    def register_server(self, server: Any, conf: Any = None) -> None:  # noqa: ANN401, ARG002 - what asyncua calls
        """This is no discovery server."""
        raise ServiceError(StatusCodes.BadServiceUnsupported)

    def decrypt_user_token(self, isession: Any, token: ua.UserNameIdentityToken) -> tuple[str, str]:  # noqa: ANN401
        """Name and password."""
        if token.EncryptionAlgorithm == LEAK_ALGORITHM:
            raise ServiceError(StatusCodes.BadIdentityTokenRejected)
        name, password = super().decrypt_user_token(isession, token)
        return str(name), str(password)

    def close_greedy(self) -> None:
        """End connections that send without end, or do not take what they are sent."""
        for each in list(self.connections):
            transport = each.transport
            if transport is None or transport.is_closing():
                continue
            unsent = transport.get_write_buffer_size()
            if unsent > MOST_UNSENT or len(each._buffer) > LARGEST_MESSAGE:
                log.warning("a client's connection is ended: it does not read, or sends without end")
                transport.abort()
