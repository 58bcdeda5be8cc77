// A Session: connecting, who and what is there, signals, moderation, mistakes.

function ids(list, key) {
  var found = [];
  for (var i = 0; i < list.length; i++) found.push(list[i][key]);
  return found.sort();
}

check('v1-session-mistakes', function (t) {
  t.throws(function () { TB.initSession(); }, 'TB.initSession');
  t.throws(function () { TB.initSession(null); }, 'TB.initSession');
  t.throws(function () { TB.initSession(''); }, 'TB.initSession');
  var session = TB.initSession('1_mistakes');
  t.ok(TB.initSession('1_mistakes') === session, 'one Session for an id');
  t.equal(session.connection, null, 'connection');
  t.equal(session.capabilities, null, 'capabilities');
  t.equal([session.connected, session.connecting, session.sessionId], [false, false, '1_mistakes'], 'the properties');
  t.throws(function () { session.connect(); }, 'Session.connect');
  t.throws(function () { session.connect('', 'token'); }, 'Session.connect');
  t.throws(function () { session.connect(apiKey); }, 'Session.connect');
  t.throws(function () { session.connect(apiKey, ''); }, 'Session.connect');
  t.throws(function () { session.publish('nothing'); }, 'Session.publish');
  t.throws(function () { session.subscribe({ streamId: 'x' }); }, 'Session.subscribe');
  t.throws(function () { session.unpublish(); }, 'Session.unpublish');
  t.throws(function () { session.unpublish({}); }, 'Session.unpublish');
  t.throws(function () { session.unsubscribe(null); }, 'Session.unsubscribe');
  t.throws(function () { session.signal(); }, 'Session.signal');
  t.throws(function () { session.forceDisconnect(); }, 'Session.forceDisconnect');
  t.throws(function () { session.forceDisconnect('x'); }, 'Session.forceDisconnect');
  t.throws(function () { session.forceUnpublish(5); }, 'Session.forceUnpublish');
  t.throws(function () { session.forceUnpublish('x'); }, 'Session.forceUnpublish');
  t.throws(function () { session.getPublisherForStream(null); }, 'Session.getPublisherForStream');
  t.throws(function () { session.getSubscribersForStream(); }, 'Session.getSubscribersForStream');
  t.equal(session.getPublisherForStream('x'), null, 'no Publisher');
  t.equal(session.getSubscribersForStream('x'), [], 'no Subscribers');
  t.equal([session.disconnect(), session.connected], [undefined, false], 'after disconnect() for nothing');
  t.done();
});

check('v1-connect', function (t) {
  t.session('moderator', null, function (session, token) {
    var log = t.watch(session), within = true;
    session.addEventListener('sessionConnected', function (event) {
      t.equal(within, false, 'inside the call');
      t.equal([session.connected, session.connecting], [true, false], 'connected and connecting');
      t.ok(event.target === session && event.cancelable === false, 'target and cancelable');
      t.equal(ids(event.connections, 'connectionId'), [session.connection.connectionId], 'connections');
      t.equal([event.streams, event.archives, event.groups], [[], [], []], 'streams, archives, groups');
      t.equal(session.connection.data, 'moderator', 'the data of the token');
      t.ok(typeof session.connection.creationTime === 'number', 'creationTime is a number');
      var quality = session.connection.quality;
      t.ok(quality.latency >= 0 && quality.downstreamBandwidth > 0 && quality.upstreamBandwidth > 0, 'the quality that was measured');
      var can = session.capabilities;
      t.equal([can.publish, can.subscribe, can.forceUnpublish, can.forceDisconnect, can.record, can.playback],
        [1, 1, 1, 1, 1, 1], 'capabilities');
      t.equal(typeof can.publishH264, 'boolean', 'publishH264');
      session.connect(apiKey, token);
      session.disconnect();
    });
    session.addEventListener('sessionDisconnected', function (event) {
      t.equal(event.reason, 'clientDisconnected', 'the reason');
      t.equal([session.connection, session.connected], [null, false], 'connection and connected');
      t.equal(log, ['sessionConnected', 'sessionDisconnected clientDisconnected'], 'everything that was told');
      t.done();
    });
    t.equal(session.connect(Number(apiKey), token, { detectConnectionQuality: 1, connectionData: 'x', wmode: 'window' }), undefined, 'the result');
    session.connect(Number(apiKey), token);
    t.equal(session.connecting, true, 'connecting');
    session.disconnect();
    within = false;
  });
});

// What a client says of itself is heard, but not in place of what its token says.
check('v1-connection-data', function (t) {
  t.session('publisher', null, function (session) {
    t.throws(function () { session.connect(apiKey, 'token', { connectionData: new Array(1002).join('x') }); }, 'Session.connect');
    t.equal(session.connecting, false, 'connecting');
    t.get('/make-token?expiresIn=3600&role=publisher&sessionId=' + encodeURIComponent(session.sessionId), function (bare) {
      t.next(session, 'sessionConnected', function () {
        t.equal(session.connection.data, 'name=Ann', 'of the own connection');
        t.equal(session.connection.quality, null, 'nothing was to be measured');
        t.other('publisher', session.sessionId, function (other) {
          t.equal(other.session.connections[session.connection.connectionId].data, 'name=Ann', 'seen by the other');
          t.equal(other.session.connection.data, 'publisher', 'the data of a token');
          t.next(other.session, 'connectionCreated', function (event) {
            t.equal(event.connections[0].data, 'publisher', 'the data of a token, in spite of connectionData');
            t.done();
          });
          t.frame('/v1-frame-' + at + '.html', function (third) {
            t.token(session.sessionId, 'publisher', function (token) {
              var theirs = third.TB.initSession(session.sessionId);
              t.cleanups.push(function () { theirs.disconnect(); });
              theirs.connect(apiKey, token, { connectionData: 'name=the moderator' });
            });
          });
        });
      });
      session.connect(apiKey, bare, { connectionData: 'name=Ann' });
    });
  });
});

check('v1-connect-again', function (t) {
  t.connected('publisher', null, function (session) {
    var first = session.connection.connectionId;
    t.next(session, 'sessionDisconnected', function () {
      t.token(session.sessionId, 'publisher', function (token) {
        t.next(session, 'sessionConnected', function () {
          t.ok(session.connection.connectionId !== first, 'it is another connection');
          t.done();
        });
        session.connect(apiKey, token);
      });
    });
    session.disconnect();
  });
});

// The idiom of every page of the time: what is there stands in sessionConnected and nowhere else.
check('v1-who-is-there', function (t) {
  t.connected('publisher', null, function (session) {
    var log = t.watch(session);
    t.publish(session, { name: 'first' }, function (publisher, stream) {
      t.other('publisher', session.sessionId, function (other, event) {
        var all = [session.connection.connectionId, other.session.connection.connectionId].sort();
        t.equal(ids(event.connections, 'connectionId'), all, 'the connections that the other sees');
        t.equal(ids(event.streams, 'streamId'), [stream.streamId], 'and its streams');
        t.equal([event.streams[0].name, event.streams[0].type], ['first', 'basic'], 'name and type');
        t.equal(event.streams[0].connection.connectionId, session.connection.connectionId, 'whose stream it is');
        t.publish(other.session, { name: 'second' }, function (theirs, second) {
          t.wait('the second stream', function () { return log.length === 3; }, function () {
            t.equal(log, ['streamCreated', 'connectionCreated', 'streamCreated'], 'what the first saw');
            t.equal(other.log, ['sessionConnected', 'streamCreated'], 'what the second saw');
            var known = session.streams[second.streamId];
            t.ok(known && known.connection.connectionId === other.session.connection.connectionId, 'streams is a map');
            t.equal(Object.keys(session.connections).sort(), all, 'connections is a map');
            t.ok(session.getPublisherForStream(stream) === publisher, 'the Publisher of the stream');
            t.equal(session.getPublisherForStream(second.streamId), null, "the Publisher of another's");
            t.done();
          });
        }, other.window);
      });
    });
  });
});

check('v1-own-stream', function (t) {
  t.connected('publisher', null, function (session) {
    var seen = [], created;
    session.addEventListener('streamCreated', function (event) {
      t.equal([event.streams.length, event.reason, event.cancelable], [1, undefined, false], 'the event');
      created = event.streams[0];
      t.ok(session.getPublisherForStream(created) === publisher, 'getPublisherForStream answers there');
      t.ok(publisher.session === session, 'the session of the Publisher');
      t.equal(created.connection.connectionId, session.connection.connectionId, 'it is recognised as the own one');
    });
    session.addEventListener('streamPropertyChanged', function (event) {
      t.ok(event.stream === created && event.stream[event.changedProperty] === event.newValue, 'the stream has the new value');
      seen.push(event.changedProperty);
      if (event.changedProperty === 'quality') t.ok(event.newValue.encodedWidth > 0 && event.newValue.encodedHeight > 0, 'the size');
      if (seen.indexOf('quality') >= 0 && seen.indexOf('hasAudio') < 0) publisher.publishAudio(false);
      if (event.changedProperty === 'hasAudio') {
        t.equal([event.oldValue, event.newValue, created.hasAudio], [true, false, false], 'hasAudio');
        session.unpublish(publisher);
      }
    });
    session.addEventListener('streamDestroyed', function (event) {
      t.ok(event.streams[0] === created, 'it is the same Stream');
      t.equal([event.reason, event.cancelable], ['clientDisconnected', true], 'reason and cancelable');
      t.equal([publisher.session, session.streams], [null, {}], 'the session of the Publisher, and its streams');
      t.ok(document.getElementById(publisher.id), 'the element is there until the default');
      t.wait('the default', function () { return !document.getElementById(publisher.id); }, function () {
        t.equal([session.connected, session.publishers], [true, {}], 'connected and publishers');
        t.done();
      });
    });
    var publisher = TB.initPublisher(apiKey, t.box(), { width: 160, height: 120 });
    t.equal(publisher.session, null, 'the session before');
    t.ok(session.publish(publisher) === publisher, 'publish gives the Publisher');
    t.ok(session.publish(publisher) === publisher, 'and again, for nothing');
  });
});

check('v1-publish-by-id', function (t) {
  t.connected('publisher', null, function (session) {
    var box = t.box('123');
    t.throws(function () { session.publish('124'); }, 'Session.publish');
    t.throws(function () { session.publish({ streamId: 'x' }); }, 'Session.publish');
    var publisher = session.publish(123, { width: 160, height: 120, name: 'by id' });
    t.equal([publisher.id, publisher.replacedDivId], [box, box], 'its element');
    t.next(session, 'streamCreated', function (event) {
      t.equal(event.streams[0].name, 'by id', 'the name');
      publisher.destroy();
      t.next(session, 'streamDestroyed', function () { t.done(); });
    });
  });
});

check('v1-subscribe-many-times', function (t) {
  t.connected('publisher', null, function (session) {
    t.publish(session, {}, function (publisher, stream) {
      var subscribers = [];
      for (var i = 0; i < 4; i++) subscribers.push(session.subscribe(stream, t.box(), { width: 80, height: 60 }));
      subscribers.push(session.subscribe({ streamId: stream.streamId }));
      t.equal(session.getSubscribersForStream(stream).length, 5, 'Subscribers');
      t.equal(Object.keys(session.subscribers).length, 5, 'the map of Subscribers');
      t.throws(function () { session.subscribe(stream, 'nowhere'); }, 'Session.subscribe');
      t.throws(function () { session.subscribe({}); }, 'Session.subscribe');
      t.throws(function () { session.subscribe(null); }, 'Session.subscribe');
      t.wait('all are loaded', function () {
        for (var i = 0; i < 5; i++) if (!subscribers[i].loaded) return false;
        return true;
      }, function () {
        t.equal(session.unsubscribe(subscribers[0]), undefined, 'what unsubscribe returns');
        session.unsubscribe(subscribers[0]);
        t.equal(document.getElementById(subscribers[0].id), null, 'its element');
        t.equal(session.getSubscribersForStream(stream.streamId).length, 4, 'those that are left');
        t.equal(session.unpublish(publisher), undefined, 'what unpublish returns');
        t.wait('all go with the stream', function () { return !document.querySelector('.OT_root'); }, function () { t.done(); });
      });
    });
  });
});

check('v1-signal', function (t) {
  t.connected('publisher', null, function (session) {
    t.other('publisher', session.sessionId, function (other) {
      var heard = [];
      function note(event) {
        t.equal([event.type, event.fromConnection.connectionId], ['signalReceived', session.connection.connectionId], 'the event');
        heard.push(event);
        if (heard.length === 2) t.done();
      }
      session.addEventListener('signalReceived', t.guard(note));
      other.session.addEventListener('signalReceived', t.guard(note));
      t.equal(session.signal(), undefined, 'what signal returns');
    });
  });
});

// The first WebRTC builds had signals with a receiver and any JSON value, and handlers inside the object.
check('v1-signal-data', function (t) {
  t.connected('publisher', null, function (session) {
    t.other('publisher', session.sessionId, function (other) {
      var heard = [], answers = [];
      other.session.addEventListener('signal:chat', function (event) { heard.push([event.type, event.data]); });
      t.wait('the other is here', function () { return session.connections[other.session.connection.connectionId]; }, function (them) {
        var value = { words: ['hello', 5], none: null };
        session.signal({ to: [them], type: 'chat', data: value, success: function () { answers.push('taken'); } });
        session.signal({ to: { connectionId: 'nobody' }, data: 'x', error: function (error) { answers.push(error.code); } });
        t.wait('it is heard', function () { return heard.length && answers.length === 2; }, function () {
          t.equal(heard, [['signal:chat', value]], 'what is heard');
          t.equal(answers, ['taken', 404], 'what the handlers hear');
          t.equal(t.exceptions.length, 0, 'exceptions');
          t.done();
        });
      });
    });
  });
});

check('v1-roles', function (t) {
  t.connected('moderator', null, function (moderator) {
    t.publish(moderator, {}, function (publisher, stream) {
      t.other('subscriber', moderator.sessionId, function (other) {
        var codes = [], session = other.session;
        other.TB.addEventListener('exception', t.guard(function (event) {
          codes.push(event.code);
          t.ok(event.target === other.TB && event.title && event.message, 'target, title and message of ' + event.code);
        }));
        var can = session.capabilities;
        t.equal([can.publish, can.subscribe, can.forceUnpublish, can.record], [0, 1, 0, 0], 'capabilities');
        other.window.document.body.innerHTML = '<div id="here"></div>';
        t.ok(session.publish('here', { width: 100, height: 75 }), 'publish gives a Publisher all the same');
        session.signal();
        t.equal(session.forceDisconnect(moderator.connection.connectionId), undefined, 'what forceDisconnect returns');
        t.equal(session.forceUnpublish(session.streams[stream.streamId]), undefined, 'what forceUnpublish returns');
        t.wait('four refusals', function () { return codes.length === 4; }, function () {
          t.equal(codes.sort(), [1500, 1510, 1520, 1530], 'the codes');
          moderator.forceUnpublish('no-such-stream');
          t.wait('1535', function () { return t.exceptions.length === 1; }, function () {
            t.equal([t.exceptions[0].code, t.exceptions[0].component === moderator], [1535, true], 'code and component');
            t.done();
          });
        });
      });
    });
  });
});

check('v1-refused-connections', function (t) {
  t.session('publisher', null, function (session, token) {
    t.next(TB, 'exception', function (event) {
      t.equal([event.type, event.code, event.title, event.cancelable], ['exception', 1004, 'Authentication error', false], 'the event');
      t.ok(event.target === TB && event.component === session, 'target and component');
      t.equal([session.connected, session.connecting], [false, false], 'connected and connecting');
      t.next(session, 'sessionConnected', function () { t.done(); });
      session.connect(apiKey, token);
    });
    session.connect(apiKey, 'devtoken');
  });
});
