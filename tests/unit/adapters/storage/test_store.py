"""The SQL store, on a file of SQLite and on a PostgreSQL server."""

import asyncio
import shutil
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text

from tertulia.adapters.storage import SqlStore
from tertulia.adapters.storage.store import LOG_AGE_MS
from tertulia.adapters.storage.writer import LOG_ROWS
from tertulia.clock import WallTime
from tertulia.domain.connection import Connection, SeatState
from tertulia.domain.events import (
    All,
    AllBut,
    Change,
    ConnectionRemoved,
    ConnectionSaved,
    MuteStateSaved,
    One,
    PairRemoved,
    PairSaved,
    StateKeyRemoved,
    StateKeySaved,
    StreamRemoved,
    StreamSaved,
    SubscriptionRemoved,
    SubscriptionSaved,
)
from tertulia.domain.project import Project, ProjectStatus
from tertulia.domain.roles import Role
from tertulia.domain.stream import Dimensions, Lines, Stream, StreamSource, VideoType
from tertulia.domain.subscription import PairState, PictureWishes, SlotPair, Subscription, VideoFallback
from tertulia.errors import ConnectFailedError
from tertulia.ids import (
    ApiKey,
    ConnectionId,
    Generation,
    SessionId,
    SlotIndex,
    StreamId,
    SubscriptionId,
    TransportId,
)
from tertulia.services.kept_replies import KEPT_REPLIES
from tertulia.services.ports import Issue, KeptReply, LogRow, SessionRecord, WriteBatch

SESSION = SessionId("2_session")
NOW = WallTime(1_767_225_600_000)
ANA, BEN = ConnectionId("ana"), ConnectionId("ben")

ana = Connection(
    connection_id=ANA,
    created_at_ms=1_767_225_600_001,
    role=Role.MODERATOR,
    data="¡name=Ana! 👋",
    expires_at_s=1_767_312_000,
    state=SeatState.CONNECTED,
    joined_number=1,
    connection_events_suppressed=True,
    client_data="name=Ann",
    key_confirmed=2,
    key_issued=3,
    epoch=4,
    transport_id=TransportId(2**64 - 1),
    layout_classes=("focus", "wide screen"),
    next_subscription_id=SubscriptionId(5),
)
ben = Connection(BEN, 1_767_225_600_002, Role.SUBSCRIBER, "", 1_767_312_000, SeatState.INTERRUPTED, 2)
camera = Stream(
    stream_id=StreamId("camera"),
    connection_id=ANA,
    created_at_ms=1_767_225_600_003,
    name="Desk",
    initials="AB",
    has_audio=True,
    has_video=True,
    has_captions=False,
    video_type=VideoType.CAMERA,
    video_dimensions=Dimensions(1280, 720),
    frame_rate=29.97,
    layout_classes=("full", 'with "quotes" and ü'),
    source=StreamSource(TransportId(7), Lines("0", None)),
    audio_fallback=False,
)
bare = Stream(
    StreamId("bare"), BEN, 1_767_225_600_004, "", None, False, False, False, None, Dimensions(0, 0), None, None
)
subscription = Subscription(
    SubscriptionId(1),
    ANA,
    StreamId("camera"),
    audio=True,
    video=False,
    wishes=PictureWishes(Dimensions(320, 180), 15.0),
    slot=SlotIndex(0),
)
pair = SlotPair(
    slot=SlotIndex(0),
    audio_mid="2",
    video_mid="3",
    state=PairState.BOUND,
    generation=Generation(2**32 - 1),
    subscription_id=SubscriptionId(1),
    audio_rtp_timestamp=2**32 - 1,
    video_rtp_timestamp=None,
    video_supported=False,
    fallback=VideoFallback.STOPPED,
)


def row(number: int, body: str = "{}") -> LogRow:
    return LogRow(number, All(), False, body)


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[SqlStore]:
    opened = await SqlStore.open(store_url)
    yield opened
    await opened.close()


async def test_projects_are_kept_by_key(store: SqlStore) -> None:
    first = Project(ApiKey("20000000"), "a" * 40, "Second", ProjectStatus.SUSPENDED)
    second = Project(ApiKey("10000000"), "b" * 40, "First")
    assert await store.add_project(first)
    assert await store.add_project(second)
    assert not await store.add_project(Project(ApiKey("10000000"), "c" * 40, "Thief"))
    assert await store.list_projects() == [second, first]
    assert await store.find_project(ApiKey("20000000")) == first
    assert await store.find_project(ApiKey("30000000")) is None


async def test_a_project_is_changed_and_removed_with_its_sessions(store: SqlStore) -> None:
    first = Project(ApiKey("10000000"), "a" * 40, "First", created_at_ms=NOW)
    second = Project(ApiKey("20000000"), "b" * 40, "Second")
    for project in (first, second):
        await store.add_project(project)
    changed = replace(first, api_secret="c" * 40, name="1", status=ProjectStatus.SUSPENDED, accept_known_keys=True)
    assert await store.change_project(changed)
    assert await store.list_projects() == [changed, second]
    assert not await store.change_project(Project(ApiKey("30000000"), "a" * 40))
    for number, api_key in enumerate((first.api_key, second.api_key, first.api_key)):
        record = SessionRecord(SessionId(f"2_{number}"), api_key, "routed", "manual", NOW + number, False)
        assert await store.add_session(record)
        assert not await store.add_session(record)
    assert [record.session_id for record in await store.sessions_of(first.api_key, 10)] == ["2_2", "2_0"]
    assert [record.session_id for record in await store.sessions_of(first.api_key, 1)] == ["2_2"]
    assert [record.session_id for record in await store.sessions_of(first.api_key, 10, NOW + 2)] == ["2_0"]
    for number in range(3):
        await store.commit(WriteBatch(SessionId(f"2_{number}"), NOW, changes=[StateKeySaved("slide", "1")]))
    assert await store.remove_project(first.api_key)
    assert not await store.remove_project(first.api_key)
    shared = [(await store.load_seats(SessionId(f"2_{number}"))).shared for number in range(3)]
    assert shared == [{}, {"slide": "1"}, {}]
    assert await store.list_projects() == [second]
    assert await store.sessions_of(first.api_key, 10) == []
    assert await store.find_session(SessionId("2_1")) is not None


async def test_sessions_with_seats_are_found_by_project(store: SqlStore) -> None:
    await store.add_session(SessionRecord(SESSION, ApiKey("10000000"), "routed", "manual", NOW, False))
    await store.commit(WriteBatch(SESSION, NOW, changes=[ConnectionSaved(ana), ConnectionSaved(ben)]))
    assert await store.sessions_with_seats(ApiKey("10000000")) == [SESSION]
    assert await store.sessions_with_seats(ApiKey("20000000")) == []


async def test_a_secret_is_made_once(store: SqlStore) -> None:
    assert await store.secret("keys", b"first") == b"first"
    assert await store.secret("keys", b"second") == b"first"


async def test_a_token_is_spent_once_and_forgotten_when_it_has_expired(store: SqlStore) -> None:
    assert await store.spend_token("a", 100)
    assert await store.spend_token("b", 200)
    assert not await store.spend_token("a", 100)
    await store.trim_log(WallTime(150_000))
    assert await store.spend_token("a", 100)
    assert not await store.spend_token("b", 200)


async def test_sessions_are_found_by_id(store: SqlStore) -> None:
    full = SessionRecord(SESSION, ApiKey("10000000"), "routed", "always", NOW, True, "1.2.3.4", "name", "640x480")
    plain = SessionRecord(SessionId("1_other"), ApiKey("10000000"), "relayed", "manual", NOW, False)
    for record in (full, plain):
        await store.add_session(record)
        assert await store.find_session(record.session_id) == record
    assert await store.find_session(SessionId("2_none")) is None


async def test_seats_come_back_as_they_were(store: SqlStore, store_url: str) -> None:
    replies = [KeptReply(ANA, 1, '{"x":1}'), KeptReply(ANA, 2, "{}")]
    await store.commit(
        WriteBatch(
            SESSION,
            NOW,
            changes=[
                ConnectionSaved(ben),
                ConnectionSaved(ana),
                StreamSaved(camera),
                StreamSaved(bare),
                SubscriptionSaved(subscription),
                PairSaved(ANA, pair),
                MuteStateSaved(True),
                StateKeySaved("slide", "1"),
                StateKeySaved("gone", "1"),
                StateKeySaved("slide", "2"),
                StateKeyRemoved("gone"),
            ],
            log=[row(1), row(2)],
            replies=replies,
        )
    )
    await store.close()
    again = await SqlStore.open(store_url)
    stored = await again.load_seats(SESSION)
    await again.close()
    assert stored.last_number == 2
    assert stored.connections == [ana, ben]
    assert stored.streams == [camera, bare]
    assert stored.subscriptions == [subscription]
    assert stored.pairs == {ANA: [pair]}
    assert stored.replies == replies
    assert stored.muted
    assert stored.shared == {"slide": "2"}


async def test_of_several_changes_of_one_thing_the_last_stands(store: SqlStore) -> None:
    await store.commit(WriteBatch(SESSION, NOW, [PairSaved(ANA, pair), StreamSaved(camera)]))
    moved = SlotPair(SlotIndex(0), "8", "9")
    await store.commit(
        WriteBatch(
            SESSION,
            NOW,
            [
                PairRemoved(ANA, SlotIndex(0)),
                PairSaved(ANA, moved),
                StreamSaved(camera),
                StreamRemoved(camera.stream_id),
                SubscriptionSaved(subscription),
                SubscriptionRemoved(ANA, subscription.subscription_id),
            ],
        )
    )
    stored = await store.load_seats(SESSION)
    assert stored.pairs == {ANA: [moved]}
    assert stored.streams == []
    assert stored.subscriptions == []


async def test_a_seat_that_ends_takes_everything_of_its_own_with_it(store: SqlStore) -> None:
    everything: list[Change] = [
        ConnectionSaved(ana),
        ConnectionSaved(ben),
        SubscriptionSaved(subscription),
        PairSaved(ANA, pair),
    ]
    replies = [KeptReply(ANA, 1, "{}"), KeptReply(BEN, 1, "{}")]
    await store.commit(WriteBatch(SESSION, NOW, everything, replies=replies))
    await store.commit(WriteBatch(SESSION, NOW, [PairSaved(ANA, pair), ConnectionRemoved(ANA)]))
    stored = await store.load_seats(SESSION)
    assert stored.connections == [ben]
    assert stored.subscriptions == []
    assert stored.pairs == {}
    assert stored.replies == [replies[1]]
    assert await store.find_seat(ANA) is None
    assert await store.find_seat(BEN) == SESSION
    assert await store.sessions_with_seats() == [SESSION]


async def test_the_log_is_read_by_range_with_its_recipients(store: SqlStore) -> None:
    written = [
        LogRow(1, All(), False, "a"),
        LogRow(2, AllBut(ANA), True, "b"),
        LogRow(3, One(BEN), False, "ü"),
        LogRow(4, All(), False, "d"),
    ]
    await store.commit(WriteBatch(SESSION, NOW, log=written))
    await store.commit(WriteBatch(SessionId("2_other"), NOW, log=[row(2, "foreign")]))
    assert await store.read_log(SESSION, 1, 3) == written[1:3]


async def test_old_rows_go_but_the_newest_stays(store: SqlStore) -> None:
    await store.commit(WriteBatch(SESSION, NOW, log=[row(1), row(2)]))
    await store.commit(WriteBatch(SessionId("2_other"), NOW, log=[row(1)]))
    await store.commit(WriteBatch(SessionId("2_other"), WallTime(NOW + 10), log=[row(2)]))
    await store.trim_log(WallTime(NOW + LOG_AGE_MS + 5))
    assert [each.number for each in await store.read_log(SESSION, 0, 9)] == [2]
    assert [each.number for each in await store.read_log(SessionId("2_other"), 0, 9)] == [2]
    assert (await store.load_seats(SESSION)).last_number == 2


async def test_the_log_and_the_replies_are_bounded(store: SqlStore) -> None:
    many = LOG_ROWS + 1_000
    for start in range(1, many, 1_000):
        numbers = range(start, start + 1_000)
        replies = [KeptReply(ANA, number, "{}") for number in numbers]
        changes = [ConnectionSaved(ana)]
        await store.commit(WriteBatch(SESSION, NOW, changes, [row(number) for number in numbers], replies))
    kept = await store.read_log(SESSION, 0, 2 * many)
    assert LOG_ROWS <= len(kept) < LOG_ROWS + 500
    assert kept[-1].number == many
    stored = await store.load_seats(SESSION)
    assert KEPT_REPLIES <= len(stored.replies) < KEPT_REPLIES + 64
    assert stored.replies[-1].request_id == many


async def test_many_batches_share_few_transactions(store: SqlStore) -> None:
    commits: list[object] = []
    note = commits.append
    event.listen(Engine, "commit", note)
    batches = [WriteBatch(SESSION, NOW, log=[row(number)]) for number in range(1, 501)]
    await asyncio.gather(*(store.commit(batch) for batch in batches))
    event.remove(Engine, "commit", note)
    assert len(await store.read_log(SESSION, 0, 1000)) == 500
    assert 1 <= len(commits) <= 3


async def test_a_bad_batch_fails_alone(store: SqlStore) -> None:
    await store.commit(WriteBatch(SESSION, NOW, log=[row(1)]))
    outcomes = await asyncio.gather(
        store.commit(WriteBatch(SessionId("2_a"), NOW, log=[row(1)])),
        store.commit(WriteBatch(SESSION, NOW, [ConnectionSaved(ana)], [row(1)])),
        store.commit(WriteBatch(SessionId("2_b"), NOW, log=[row(1)])),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [bool, ConnectFailedError, bool]
    assert (await store.load_seats(SESSION)).connections == [], "all of a batch or nothing"
    assert len(await store.read_log(SessionId("2_b"), 0, 9)) == 1


async def test_what_is_queued_when_the_store_closes_is_written(store: SqlStore, store_url: str) -> None:
    writing = asyncio.gather(*(store.commit(WriteBatch(SESSION, NOW, log=[row(n)])) for n in range(1, 20)))
    await asyncio.sleep(0)
    await store.close()
    await writing
    with pytest.raises(ConnectFailedError):
        await store.commit(WriteBatch(SESSION, NOW, log=[row(99)]))
    again = await SqlStore.open(store_url)
    assert len(await again.read_log(SESSION, 0, 99)) == 19
    await again.close()


async def test_what_was_committed_survives_the_end_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "tertulia.db"
    store = await SqlStore.open(f"sqlite:///{path}")
    await store.commit(WriteBatch(SESSION, NOW, [ConnectionSaved(ana)], [row(1)]))
    for name in ("", "-wal"):  # what the files hold at this moment is what a killed process leaves
        shutil.copy(f"{path}{name}", f"{tmp_path / 'left.db'}{name}")
    left = await SqlStore.open(f"sqlite:///{tmp_path / 'left.db'}")
    assert (await left.load_seats(SESSION)).connections == [ana]
    await left.close()
    await store.close()


async def test_a_database_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConnectFailedError, match="database"):
        await SqlStore.open(f"sqlite:///{tmp_path}/missing/x.db")


async def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("no database at all, but long enough to be taken for one" * 50)
    with pytest.raises(ConnectFailedError):
        await SqlStore.open(f"sqlite:///{tmp_path / 'x.db'}")


async def test_reading_from_a_broken_database_is_unavailable(store: SqlStore) -> None:
    await store.transact(lambda connection: connection.execute(text("DROP TABLE sessions")))
    with pytest.raises(ConnectFailedError):
        await store.find_session(SESSION)
    with pytest.raises(ConnectFailedError):
        await store.add_session(SessionRecord(SESSION, ApiKey("1"), "routed", "manual", 1, False))


async def test_text_and_ids_that_a_database_cannot_hold_harm_nobody(store: SqlStore) -> None:
    await store.commit(WriteBatch(SESSION, NOW, [ConnectionSaved(replace(ana, data="a\0b"))]))
    assert [each.data for each in (await store.load_seats(SESSION)).connections] == ["a\ufffdb"]
    for strange in ("\0", "\ud800", "é" * 1000):
        assert await store.find_session(SessionId(strange)) is None
        assert await store.find_seat(ConnectionId(strange)) is None
        assert await store.find_project(ApiKey(strange)) is None


async def test_reports_of_pages_are_kept_but_only_the_newest(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = 20
    monkeypatch.setattr("tertulia.adapters.storage.store.KEPT_ISSUES", kept)
    reports = [Issue(f"i{n:04}", NOW + n, None, None, "a browser", "nul\0", "[]") for n in range(kept + 3)]
    for report in reports:
        await store.add_issue(report)
    newest = await store.issues(kept + 3)
    assert [issue.issue_id for issue in newest] == [report.issue_id for report in reversed(reports[3:])]
    assert await store.find_issue("i0002") is None
    assert await store.find_issue("i\0") is None
    assert await store.find_issue("i0003") == newest[-1]
    assert newest[0].description == "nul\ufffd"


async def test_errors_do_not_repeat_what_was_to_be_written(store: SqlStore) -> None:
    await store.commit(WriteBatch(SESSION, NOW, log=[row(1)]))
    said = "something private".upper()
    with pytest.raises(ConnectFailedError) as refused:
        await store.commit(WriteBatch(SESSION, NOW, log=[row(1, said)]))
    told = "".join(traceback.format_exception(refused.value))
    assert "INSERT INTO session_log" in told
    assert said not in told
