// A page for each generation of the API that joins a session and shows everybody: to open, and to copy into an application.

export interface Facts {
  readonly apiKey: string;
  readonly sessionId: string;
  readonly token: string;
}

export type Era = 'v1' | 'v2';

/** The address of a page of this server that is a call. What it needs stands behind the #, which browsers send nowhere. */
export function trialAddress(era: Era, facts: Facts, page: URL): string {
  const address = new URL(`try-${era}`, page);
  address.hash = new URLSearchParams({ key: facts.apiKey, session: facts.sessionId, token: facts.token }).toString();
  return address.href;
}

/** The same as one HTML file that works from any origin. */
export function pageSource(era: Era, facts: Facts, page: URL): string {
  return era === 'v2' ? sourceV2(facts, new URL('v2/js/opentok.min.js', page).href) : sourceV1(facts, new URL('v1.1/js/TB.min.js', page).href);
}

function sourceV2({ apiKey, sessionId, token }: Facts, script: string): string {
  return `<!doctype html>
<meta charset="utf-8">
<title>A call</title>
<script src="${attribute(script)}"></script>
<div id="me"></div>
<div id="others"></div>
<script>
  const session = OT.initSession(${literal(apiKey)}, ${literal(sessionId)});
  session.on('streamCreated', ({ stream }) => session.subscribe(stream, 'others', { insertMode: 'append' }));
  session.connect(${literal(token)}, (error) => {
    if (error) return alert(error.message);
    session.publish(OT.initPublisher('me'));
  });
</script>
`;
}

function sourceV1({ apiKey, sessionId, token }: Facts, script: string): string {
  return `<!doctype html>
<meta charset="utf-8">
<title>A call</title>
<script src="${attribute(script)}"></script>
<div id="me"></div>
<div id="others"></div>
<script>
  var session = TB.initSession(${literal(sessionId)});
  function watch(streams) {
    for (var i = 0; i < streams.length; i++) {
      if (streams[i].connection.connectionId === session.connection.connectionId) continue;
      var place = document.createElement('div');
      place.id = 'stream-' + streams[i].streamId;
      document.getElementById('others').appendChild(place);
      session.subscribe(streams[i], place.id);
    }
  }
  session.addEventListener('sessionConnected', function (event) {
    watch(event.streams);
    session.publish('me');
  });
  session.addEventListener('streamCreated', function (event) {
    watch(event.streams);
  });
  session.connect(${literal(apiKey)}, ${literal(token)});
</script>
`;
}

/** A text in a script of a page: nothing in it can end the script. */
function literal(text: string): string {
  return JSON.stringify(text).replaceAll('<', '\\u003c');
}

function attribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
