"""Callbacks as their owners see them: registering and removing them, reading deliveries, sending them again."""

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from tertulia.clock import Clock
from tertulia.domain.addresses import AddressRules, is_ip_address
from tertulia.domain.callbacks import (
    CALLBACKS_PER_PROJECT,
    Callback,
    Delivery,
    DeliveryStatus,
    check_event,
    check_url,
    replayed,
)
from tertulia.errors import InvalidParameterError, NotFoundError
from tertulia.ids import ApiKey, IdSource, SessionId
from tertulia.services.ports import CallbackStore

__all__ = ["DELIVERIES_PER_PAGE", "Callbacks"]

DELIVERIES_PER_PAGE = 1000
_OVER = (DeliveryStatus.SET_ASIDE, DeliveryStatus.DEAD)


class Callbacks:
    """The callbacks of this server's projects.

    Args:
        store: Where they live.
        ids: Where ids and secrets come from.
        clock: The time.
        rules: Where callbacks may go; what is seen only when a name is resolved is refused then.
        wake: Called when something may be due at once.
    """

    def __init__(
        self,
        store: CallbackStore,
        ids: IdSource,
        clock: Clock,
        rules: AddressRules | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._ids = ids
        self._clock = clock
        self._rules = rules or AddressRules()
        self._wake = wake

    async def register(self, api_key: str, group: str, event: str, url: str) -> Callback:
        """Make a callback.

        Args:
            api_key: The project.
            group: `session`, `connection`, `stream`, `archive`, `broadcast`, `render`, `captions` or `sip`.
            event: `created` or `destroyed` for the first three, else `status`.
            url: Where to, up to 2048 characters.

        Raises:
            InvalidParameterError: If one of these is not lawful, or the project has 100 callbacks.
            UnavailableError: If the store is away.
        """
        known_group, known_event = check_event(group, event)
        host = urlsplit(check_url(url)).hostname or ""
        if is_ip_address(host) and not self._rules.may_reach(host):
            raise InvalidParameterError("Callbacks do not go to this address; the operator can allow its network.")
        callback = Callback(
            callback_id=self._ids.callback_id(),
            api_key=ApiKey(api_key),
            group=known_group,
            event=known_event,
            url=url,
            receiver_id=self._ids.callback_id(),
            secret=self._ids.api_secret(),
            created_at_ms=self._clock.wall(),
        )
        if not await self._store.add_callback(callback, CALLBACKS_PER_PROJECT):
            raise InvalidParameterError(f"A project has at most {CALLBACKS_PER_PROJECT} callbacks.")
        # The store has given it the secret of its receiver.
        made = [each for each in await self.list(api_key) if each.callback_id == callback.callback_id]
        return made[0] if made else callback

    async def list(self, api_key: str) -> list[Callback]:
        """Return a project's callbacks, the oldest first."""
        return await self._store.list_callbacks(ApiKey(api_key))

    async def remove(self, api_key: str, callback_id: str) -> None:
        """Remove a callback; what is pending for it is not sent any more.

        Raises:
            NotFoundError: If the project has no such callback.
            UnavailableError: If the store is away.
        """
        if not await self._store.remove_callback(ApiKey(api_key), callback_id):
            raise NotFoundError("There is no such callback.")

    async def deliveries(
        self,
        api_key: str,
        *,
        status: DeliveryStatus | None = None,
        session_id: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[Delivery]:
        """Return a project's deliveries, the newest first.

        Args:
            api_key: The project.
            status: Only those that stand so.
            session_id: Only those of this session.
            before: Only those with a smaller id, to page on.
            limit: 1 to 1000.
        """
        return await self._store.list_deliveries(
            ApiKey(api_key),
            statuses=() if status is None else (status,),
            session_id=None if session_id is None else SessionId(session_id),
            before=before,
            limit=max(1, min(limit, DELIVERIES_PER_PAGE)),
        )

    async def replay(self, api_key: str, delivery_id: int) -> Delivery:
        """Send a delivery again that is over, whether it arrived or not.

        Raises:
            NotFoundError: If the project has no such delivery (any more).
            InvalidParameterError: If it is still pending.
            UnavailableError: If the store is away.
        """
        delivery = await self._store.find_delivery(ApiKey(api_key), delivery_id)
        if delivery is None:
            raise NotFoundError("There is no such delivery.")
        if delivery.status is DeliveryStatus.PENDING:
            raise InvalidParameterError("The delivery is still pending.")
        return await self._replay(delivery)

    async def replay_all(self, api_key: str) -> int:
        """Send everything again that was set aside or given up, each session's in its order; return how many."""
        count, before = 0, None
        while page := await self._store.list_deliveries(
            ApiKey(api_key), statuses=_OVER, before=before, limit=DELIVERIES_PER_PAGE
        ):
            for delivery in page:
                await self._replay(delivery)
            count, before = count + len(page), page[-1].delivery_id
        return count

    async def _replay(self, delivery: Delivery) -> Delivery:
        now = self._clock.wall()
        again = replayed(delivery, now)
        await self._store.replay(again, now)
        self._wake()
        return again
