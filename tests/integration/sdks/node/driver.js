// Makes calls of the official Node SDK: each a line of JSON, [name, arguments], answered with a line.
"use strict";

const readline = require("node:readline");
const OpenTok = require("opentok");

const [url, apiKey, apiSecret] = process.argv.slice(2);
const sdk = new OpenTok(apiKey, apiSecret, url);

/** What a method hands to its callback; the first call counts, for some call twice. */
function asked(method, ...args) {
  return new Promise((resolve, reject) => {
    sdk[method](...args, (error, value) => (error ? reject(error) : resolve(value)));
  });
}

function sessionOptions(given) {
  const names = {
    media: "mediaMode",
    archive: "archiveMode",
    archive_name: "archiveName",
    archive_resolution: "archiveResolution",
    location: "location",
    e2ee: "e2ee",
  };
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [names[name], value]));
}

function tokenOptions({ role, data, classes, expires_at_s: expireTime }) {
  const options = { role, data, initialLayoutClassList: classes, expireTime };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

const CALLS = {
  create_session: async (given) => (await asked("createSession", sessionOptions(given))).sessionId,
  generate_token: ({ session_id, t1, ...given }) => sdk.generateToken(session_id, tokenOptions(given), t1),
  signal: ({ session_id, connection_id, type, data }) => asked("signal", session_id, connection_id, { type, data }),
  force_disconnect: ({ session_id, connection_id }) => asked("forceDisconnect", session_id, connection_id),
  list_streams: ({ session_id }) => asked("listStreams", session_id),
  get_stream: ({ session_id, stream_id }) => asked("getStream", session_id, stream_id),
  set_classes: ({ session_id, stream_id, classes }) =>
    asked("setStreamClassLists", session_id, [{ id: stream_id, layoutClassList: classes }]),
  mute_stream: ({ session_id, stream_id }) => asked("forceMuteStream", session_id, stream_id),
  // As its documents spell it.
  mute_all: ({ session_id, excluded }) => asked("forceMuteAll", session_id, { excudedStreamIds: excluded }),
  disable_mute: ({ session_id }) => asked("disableForceMute", session_id),
  play_dtmf: ({ session_id, connection_id, digits }) => asked("playDTMF", session_id, connection_id, digits),
  start_archive: ({ session_id, name, output_mode: outputMode, resolution }) =>
    asked("startArchive", session_id, { name, outputMode, resolution }),
  stop_archive: ({ id }) => asked("stopArchive", id),
  get_archive: ({ id }) => asked("getArchive", id),
  list_archives: ({ session_id: sessionId, ...page }) => asked("listArchives", { sessionId, ...page }),
  delete_archive: ({ id }) => asked("deleteArchive", id),
  set_archive_layout: ({ id, type }) => asked("setArchiveLayout", id, type, null, null),
  add_archive_stream: ({ id, stream_id }) => asked("addArchiveStream", id, stream_id),
  remove_archive_stream: ({ id, stream_id }) => asked("removeArchiveStream", id, stream_id),
  start_broadcast: ({ session_id, outputs }) => asked("startBroadcast", session_id, { outputs }),
  stop_broadcast: ({ id }) => asked("stopBroadcast", id),
  get_broadcast: ({ id }) => asked("getBroadcast", id),
  list_broadcasts: ({ session_id: sessionId }) => asked("listBroadcasts", { sessionId }),
  set_broadcast_layout: ({ id, type }) => asked("setBroadcastLayout", id, type, null, null),
  add_broadcast_stream: ({ id, stream_id }) => asked("addBroadcastStream", id, stream_id, {}),
  remove_broadcast_stream: ({ id, stream_id }) => asked("removeBroadcastStream", id, stream_id),
  dial: ({ session_id, token, uri }) => asked("dial", session_id, token, uri),
  start_captions: ({ session_id, token }) => asked("startCaptions", session_id, token, {}),
  stop_captions: ({ id }) => asked("stopCaptions", id),
  connect_websocket: ({ session_id, token, uri }) => asked("websocketConnect", session_id, token, uri),
  start_render: ({ session_id: sessionId, token, url: page }) => asked("startRender", { sessionId, token, url: page }),
  get_render: ({ id }) => asked("getRender", id),
  stop_render: ({ id }) => asked("stopRender", id),
  list_renders: async () => (await asked("listRenders", { count: 50 })).items,
  register_callback: ({ group, event, url: address }) => asked("registerCallback", { group, event, url: address }),
  list_callbacks: () => asked("listCallbacks"),
  unregister_callback: ({ id }) => asked("unregisterCallback", id),
  offers: () => Object.keys(CALLS).filter((name) => !["offers", "methods"].includes(name)),
  methods: () => {
    const names = [...Object.keys(sdk), ...Object.keys(OpenTok.prototype)];
    return names.filter((name) => typeof sdk[name] === "function");
  },
};

/** The name of an error's class: they have none, but are members of OpenTok. */
function kind(error) {
  const known = Object.keys(OpenTok).find((name) => name.endsWith("Error") && error instanceof OpenTok[name]);
  return known ?? error.constructor.name;
}

async function answer(line) {
  const [name, given] = JSON.parse(line);
  try {
    return { value: (await CALLS[name](given)) ?? null };
  } catch (error) {
    return { error: kind(error), message: error.message };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
  }
})();
