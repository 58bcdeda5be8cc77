"""The server side for applications: sessions, tokens and every call of the REST API, as typed Python.

```python run=server-client
from tertulia.server import Client, MediaModes, Roles

with Client("YOUR_API_KEY", "YOUR_API_SECRET", "http://localhost:8080") as client:
    session = client.create_session(media_mode=MediaModes.routed)
    print(session.session_id)
    print(client.generate_token(session.session_id, role=Roles.moderator, data="name=Ida"))
```

`Client` waits for each answer; `AsyncClient` has the same methods, to be awaited. Names and arguments are those of
OpenTok's own Python SDK; results are objects with snake_case attributes, and what goes wrong is an `ApiError`.
`AccountClient` and `AsyncAccountClient` manage the server's projects.
"""

from tertulia.server.account import AccountClient, AsyncAccountClient
from tertulia.server.blocking import Client
from tertulia.server.errors import (
    ApiError,
    AuthenticationError,
    CallerError,
    ConflictError,
    ConnectFailedError,
    InvalidParameterError,
    InvalidSessionIdError,
    LimitExceededError,
    NotFoundError,
    PermissionDeniedError,
    RequestTimeoutError,
    ServerError,
    UnavailableError,
    UnexpectedAnswerError,
)
from tertulia.server.media_values import (
    Archive,
    ArchiveList,
    Broadcast,
    BroadcastList,
    BroadcastUrls,
    OutputModes,
    RtmpStatus,
    StreamModes,
)
from tertulia.server.nonblocking import AsyncClient
from tertulia.server.values import (
    ArchiveModes,
    Callback,
    Captions,
    Connection,
    ConnectionList,
    MediaModes,
    OwnedProject,
    Project,
    Render,
    RenderList,
    Roles,
    Session,
    SignalPayload,
    SipCall,
    Stream,
    StreamList,
    WebSocketAudioConnection,
)

__all__ = [
    "AccountClient",
    "ApiError",
    "Archive",
    "ArchiveList",
    "ArchiveModes",
    "AsyncAccountClient",
    "AsyncClient",
    "AuthenticationError",
    "Broadcast",
    "BroadcastList",
    "BroadcastUrls",
    "Callback",
    "CallerError",
    "Captions",
    "Client",
    "ConflictError",
    "ConnectFailedError",
    "Connection",
    "ConnectionList",
    "InvalidParameterError",
    "InvalidSessionIdError",
    "LimitExceededError",
    "MediaModes",
    "NotFoundError",
    "OutputModes",
    "OwnedProject",
    "PermissionDeniedError",
    "Project",
    "Render",
    "RenderList",
    "RequestTimeoutError",
    "Roles",
    "RtmpStatus",
    "ServerError",
    "Session",
    "SignalPayload",
    "SipCall",
    "Stream",
    "StreamList",
    "StreamModes",
    "UnavailableError",
    "UnexpectedAnswerError",
    "WebSocketAudioConnection",
]
