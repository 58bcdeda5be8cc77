"""An application's server as the Python SDK's README teaches it, for OpenTok: no address is named."""

import os

from opentok import Client, MediaModes, OpenTokException, Roles

api_key = os.environ["API_KEY"]
api_secret = os.environ["API_SECRET"]

opentok = Client(api_key, api_secret)

session = opentok.create_session(media_mode=MediaModes.routed)
print(session.session_id)
token = opentok.generate_token(session.session_id, role=Roles.moderator, data="name=Ida")
print(token, flush=True)

connection_id = input()
opentok.send_signal(session.session_id, {"type": "chat", "data": "Hello!"}, connection_id)
opentok.mute_all(session.session_id, [])
opentok.disable_force_mute(session.session_id)
print(opentok.list_streams(session.session_id).count)
opentok.force_disconnect(session.session_id, connection_id)
try:
    opentok.force_disconnect(session.session_id, connection_id)
except OpenTokException as error:
    print(type(error).__name__)
