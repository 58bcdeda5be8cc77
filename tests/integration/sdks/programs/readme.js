// An application's server as the Node SDK's README teaches it, for OpenTok: no address is named.
"use strict";

const readline = require("node:readline/promises");
const { promisify } = require("node:util");
const OpenTok = require("opentok");

const apiKey = process.env.API_KEY;
const apiSecret = process.env.API_SECRET;

const opentok = new OpenTok(apiKey, apiSecret);

opentok.createSession({ mediaMode: "routed" }, async (error, session) => {
  if (error) throw error;
  const { sessionId } = session;
  console.log(sessionId);
  console.log(session.generateToken({ role: "moderator", data: "name=Ida" }));

  const input = readline.createInterface({ input: process.stdin });
  const connectionId = await input.question("");
  input.close();
  await promisify(opentok.signal)(sessionId, connectionId, { type: "chat", data: "Hello!" });
  await promisify(opentok.forceMuteAll.bind(opentok))(sessionId, {});
  await promisify(opentok.disableForceMute.bind(opentok))(sessionId);
  console.log((await promisify(opentok.listStreams.bind(opentok))(sessionId)).length);
  await promisify(opentok.forceDisconnect)(sessionId, connectionId);
  opentok.forceDisconnect(sessionId, connectionId, (refusal) => {
    console.log(refusal instanceof OpenTok.ForceDisconnectError ? "ForceDisconnectError" : refusal);
  });
});
