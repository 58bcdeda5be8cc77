// Section 16: end-to-end encryption.
check('encryption-secrets', async (t) => {
  t.equal(OT.hasEndToEndEncryptionSupport(), true, 'hasEndToEndEncryptionSupport()');
  const told = t.exceptions();
  for (const encryptionSecret of ['7 chars', 'x'.repeat(257), 12345678]) {
    const sessionId = await t.makeSession({ e2ee: true });
    const session = OT.initSession(apiKey, sessionId, { encryptionSecret });
    const token = await t.makeToken(sessionId);
    await t.rejected(session.connect.promise(token), 'OT_INVALID_ENCRYPTION_SECRET', 6004);
    await t.rejected(session.setEncryptionSecret(encryptionSecret), 'OT_INVALID_ENCRYPTION_SECRET', 6004);
  }
  const sessionId = await t.makeSession({ e2ee: true });
  const session = OT.initSession(apiKey, sessionId);
  const token = await t.makeToken(sessionId);
  await t.rejected(session.connect.promise(token), 'OT_ENCRYPTION_SECRET_MISSING', 6000);
  await t.until(() => String(told.map(({ code }) => code)) === '6004,6004,6004,6000', 'exception tells it');
  await session.setEncryptionSecret('given later');
  await session.connect.promise(token);
  t.ok(session.isConnected(), 'with a secret the session lets it in');
  await session.disconnect();
});

check('encryption-in-mid-call', async (t) => {
  const init = { encryptionSecret: 'the first secret' };
  const session = await t.connected('publisher', { sessionId: await t.makeSession({ e2ee: true }), init });
  const { session: theirs } = await t.other(session.sessionId, 'publisher', '', init);
  const coming = t.next(theirs, 'streamCreated');
  await t.published(session, { audioSource: null, videoSource: t.canvasTrack() });
  const subscriber = theirs.subscribe((await coming).stream);
  const told = [];
  for (const type of ['connected', 'encryptionSecretMatch', 'encryptionSecretMismatch'])
    subscriber.on(type, (event) => {
      t.ok(event.target === subscriber && !event.cancelable, `the event ${type}`);
      told.push(type);
    });
  const video = subscriber.element.querySelector('video');
  await t.moves(video);
  const parted = t.next(subscriber, 'encryptionSecretMismatch');
  await theirs.setEncryptionSecret('the second secret');
  await parted;
  t.equal(video.style.visibility, 'hidden', 'the picture is hidden');
  const together = t.next(subscriber, 'encryptionSecretMatch');
  await session.setEncryptionSecret('the second secret');
  await together;
  await t.moves(video);
  t.equal(told, ['connected', 'encryptionSecretMismatch', 'encryptionSecretMatch'], 'the events');
  t.equal(video.style.visibility, '', 'the picture is back');
});
