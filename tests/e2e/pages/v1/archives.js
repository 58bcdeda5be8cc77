// Archives, recorders and players in pages of the time: what works, and which exception says that something does not.

function raised(t, code) {
  return function () {
    for (var i = 0; i < t.exceptions.length; i++) if (t.exceptions[i].code === code) return t.exceptions[i];
    return null;
  };
}

check('v1-archives', function (t) {
  t.session('moderator', null, function (idle) {
    var methods = ['createArchive', 'loadArchive', 'startRecording', 'stopRecording', 'closeArchive'];
    for (var i = 0; i < methods.length; i++) {
      t.throws(function () { idle[methods[i]](methods[i] === 'createArchive' ? apiKey : 'some-archive', 'perSession'); }, 'Session.' + methods[i]);
    }
    t.connected('moderator', idle.sessionId, function (session, event) {
      t.equal(event.archives, [], 'no archive is open');
      t.equal([session.capabilities.record, session.capabilities.playback], [1, 1], 'a moderator could');
      t.throws(function () { session.createArchive(apiKey, 'everything'); }, 'Session.createArchive');
      t.throws(function () { session.loadArchive(); }, 'Session.loadArchive');
      t.throws(function () { session.startRecording({ archiveId: 'x', type: 'perSession' }); }, 'Session.startRecording');
      t.throws(function () { session.closeArchive(null); }, 'Session.closeArchive');
      session.createArchive(apiKey, TB.PER_SESSION, 'a title');
      session.loadArchive('some-archive');
      t.wait('creating is refused', raised(t, 3001), function (created) {
        t.equal(created.title, 'Archive create exception');
        t.wait('so is loading', raised(t, 3000), function (loaded) {
          t.equal(loaded.title, 'Archive load exception');
          t.other('publisher', session.sessionId, function (other) {
            var codes = [];
            other.TB.addEventListener('exception', function (event) { codes.push(event.code); });
            other.session.createArchive(apiKey, 'perStream');
            other.session.loadArchive('some-archive');
            t.wait('who is no moderator is told so', function () { return codes.length === 2; }, function () {
              t.equal(codes, [1560, 1570]);
              t.done();
            });
          });
        });
      });
    });
  });
});

check('v1-stream-recording', function (t) {
  t.connected('moderator', null, function (session) {
    t.publish(session, { publishAudio: false }, function (publisher, stream) {
      t.throws(function () { stream.startRecording({}); }, 'Stream.startRecording');
      t.throws(function () { stream.stopRecording(); }, 'Stream.stopRecording');
      t.done();
    });
  });
});

check('v1-recorder', function (t) {
  t.frame('/v1-frame-' + t.at + '.html', function (theirs) {
    t.throws(function () { theirs.TB.initRecorderManager(); }, 'TB.initRecorderManager');
    var manager = TB.initRecorderManager(apiKey), box = t.box(), told = [];
    t.throws(function () { manager.displayRecorder(); }, 'RecorderManager.displayRecorder');
    t.throws(function () { manager.displayRecorder('token', 'nowhere'); }, 'RecorderManager.displayRecorder');
    var recorder = manager.displayRecorder('token', box, { style: { showSaveButton: 'false' } });
    var root = document.getElementById(recorder.id);
    t.equal([root.offsetWidth, root.offsetHeight, recorder.getStyle('showSaveButton')], [320, 271, false]);
    var types = ['recordingStarted', 'recordingStopped', 'playbackStarted', 'playbackStopped'];
    for (var i = 0; i < types.length; i++) recorder.addEventListener(types[i], function (event) { told.push(event.type); });
    function refusals() {
      var count = 0;
      for (var i = 0; i < t.exceptions.length; i++) if (t.exceptions[i].code === 3003) count++;
      return count;
    }
    recorder.startPlaying();
    t.wait('there is nothing to play yet', raised(t, 3003), function again() {
      var before = refusals();
      told.length = 0;
      recorder.startRecording('a title');
      t.wait('it records', function () { return told.length === 1; }, function () {
        t.equal(recorder.title, 'a title');
        var video = root.querySelector('video'), from = video.currentTime;
        t.wait('for a moment', function () { return video.currentTime > from + 0.5; }, function () {
          recorder.stopRecording();
          t.wait('it has recorded', function () { return told.length === 2; }, function () {
            recorder.startPlaying();
            t.wait('it plays', function () { return told.length === 3 || refusals() > before; }, function () {
              // A busy computer may not have encoded a single picture in that moment.
              if (told.length < 3) return again();
              var playing = root.querySelector('video[aria-label="The recording"]');
              t.wait('pictures', function () { return playing.videoWidth > 0; }, function () {
                recorder.stopPlaying();
                t.wait('and stops', function () { return told.length === 4; }, function () {
                  t.equal(told, types, 'in order');
                  recorder.saveArchive();
                  t.wait('what the server does not keep is said', raised(t, 3008), function () {
                    manager.removeRecorder(recorder);
                    t.ok(!document.documentElement.contains(root), 'it is gone');
                    t.throws(function () { manager.removeRecorder(null); }, 'RecorderManager.removeRecorder');
                    t.done();
                  });
                });
              });
            });
          });
        });
      });
    });
  });
});

check('v1-player', function (t) {
  var manager = TB.initRecorderManager(apiKey);
  t.throws(function () { manager.displayPlayer(null, 'token'); }, 'RecorderManager.displayPlayer');
  t.throws(function () { manager.displayPlayer('some-archive'); }, 'RecorderManager.displayPlayer');
  var player = manager.displayPlayer('some-archive', 'token', t.box(), { width: 200, height: 100 });
  var root = document.getElementById(player.id);
  t.equal([root.offsetWidth, root.offsetHeight], [200, 100]);
  t.ok(player.setStyle('showPlayButton', false) === player && player.getStyle('showPlayButton') === false, 'styles');
  t.next(player, 'loaded', function () {
    player.play();
    player.pause();
    t.wait('loading is refused', raised(t, 3000), function (event) {
      t.ok(event.component === player, 'it is about the Player');
      t.wait('so is playing', raised(t, 3003), function () {
        t.wait('and pausing', raised(t, 3002), function () {
          manager.removePlayer(player);
          t.equal(document.getElementById(player.id), null, 'it is gone');
          t.throws(function () { manager.removePlayer(null); }, 'RecorderManager.removePlayer');
          t.done();
        });
      });
    });
  });
});
