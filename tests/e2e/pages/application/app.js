// What a beginner writes: join, publish the camera, show everybody else. Key, session and token stand in the address.
import OT from '@opentok/client';

const { apiKey, sessionId, token } = Object.fromEntries(new URLSearchParams(location.search));

function handleError(error) {
  if (error) document.getElementById('problem').textContent = `${error.name}: ${error.message}`;
}

const session = OT.initSession(apiKey, sessionId);

session.on('streamCreated', (event) => {
  const properties = { insertMode: 'append', width: '100%', height: '100%' };
  session.subscribe(event.stream, 'subscriber', properties, handleError);
});

const publisher = OT.initPublisher(
  'publisher',
  { insertMode: 'append', width: '100%', height: '100%', name: 'me' },
  handleError,
);

session.connect(token, (error) => {
  if (error) handleError(error);
  else session.publish(publisher, handleError);
});
