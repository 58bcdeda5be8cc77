// How the library is loaded, what it defines, what a page may call before it is ready.

check('v1-globals', function (t) {
  t.ok(window.TB === window.OT, 'TB is OT');
  var values = {
    NONE: 0, ERROR: 1, WARN: 2, INFO: 3, LOG: at === '0.91' ? 5 : 4, DEBUG: at === '0.91' ? 4 : 5,
    HAS_REQUIREMENTS: 1, OLD_FLASH_VERSION: 0, NOT_HAS_REQUIREMENTS: 0, ACTIVE: 'active', INACTIVE: 'inactive',
    UNKNOWN: 'unknown', PER_SESSION: 'perSession', PER_STREAM: 'perStream', BASIC_STREAM: 'basic', ARCHIVED: 'archive',
    EXCEPTION: 'exception', SESSION_CONNECTED: 'sessionConnected', STREAM_PROPERTY_CHANGED: 'streamPropertyChanged',
    CLOSE_BUTTON_CLICK: 'closeButtonClick', MICLEVEL: 'microphoneActivityLevel', MICGAINCHANGED: 'microphoneGainChanged'
  };
  for (var name in values) t.equal(TB[name], values[name], name);
  t.done();
});

check('v1-members', function (t) {
  var members = {
    TB: 'initSession initPublisher initDeviceManager initRecorderManager addEventListener removeEventListener dispatchEvent checkSystemRequirements upgradeSystemRequirements updateSystemRequirements setLogLevel log reportIssue onLoad',
    session: 'connect disconnect publish unpublish subscribe unsubscribe forceUnpublish forceDisconnect signal getSubscribersForStream getPublisherForStream createArchive loadArchive startRecording stopRecording closeArchive getStateManager addEventListener removeEventListener dispatchEvent',
    publisher: 'publishAudio publishVideo enableMicrophone disableMicrophone setMicrophoneGain getMicrophoneGain getEchoCancellationMode setCamera setMicrophone detectDevices detectMicActivity getImgData getStyle setStyle destroy addEventListener removeEventListener dispatchEvent'
  };
  var publisher = TB.initPublisher(apiKey);
  t.cleanups.push(function () { publisher.destroy(); });
  var objects = { TB: TB, session: TB.initSession('1_members'), publisher: publisher };
  for (var object in members) {
    var names = members[object].split(' ');
    for (var i = 0; i < names.length; i++) t.equal(typeof objects[object][names[i]], 'function', object + '.' + names[i]);
  }
  t.ok(TB.sessions['1_members'] === objects.session, 'TB.sessions is a map by id');
  t.done();
});

check('v1-default-key', function (t) {
  var publisher = TB.initPublisher();
  t.cleanups.push(function () { publisher.destroy(); });
  t.frame('/v1-frame-' + at + '.html', function (bare) {
    t.throws(function () { bare.TB.initPublisher(); }, 'TB.initPublisher');
    t.throws(function () { bare.TB.initPublisher('', 'x'); }, 'TB.initPublisher');
    t.throws(function () { bare.TB.initDeviceManager(); }, 'TB.initDeviceManager');
    t.throws(function () { bare.TB.initRecorderManager(); }, 'TB.initRecorderManager');
    t.equal(bare.document.querySelectorAll('.OT_root').length, 0, 'elements');
    t.done();
  });
});

check('v1-early-calls', function (t) {
  t.frame('/v1-early-' + at + '.html', function (early) {
    t.wait('both publishers run', function () { return early.publisher.getImgData() && early.anywhere.getImgData(); }, function () {
      var root = early.document.getElementById(early.publisher.id);
      t.ok(root && root.parentNode.nodeName === 'P', 'the view is where its element was');
      t.ok(root.className.indexOf('mine') >= 0 && root.title === 'here', 'it keeps classes and attributes');
      t.equal(early.document.querySelectorAll('#late').length, 1, 'elements with that id');
      t.equal(early.document.getElementById('nowhere'), null, 'the view without an element');
      t.ok(early.document.getElementById(early.anywhere.id).parentNode === early.document.body, 'no id: the end of the body');
      t.equal(early.told.slice().sort(), ['called', 'envLoaded', 'exception', 'loaded', 'onLoad'], 'what was told');
      t.equal(early.told[0], 'called', 'first');
      early.publisher.destroy();
      early.anywhere.destroy();
      t.done();
    });
  });
});

check('v1-document-write', function (t) {
  t.frame('/v1-written-' + at + '.html', function (page) {
    t.wait('it runs', function () { return page.publisher.getImgData(); }, function () {
      t.equal(page.publisher.id, 'written', 'the id');
      page.publisher.destroy();
      t.done();
    });
  });
});

check('v1-onload', function (t) {
  var order = [];
  TB.onLoad(function () { order.push('ready'); });
  order.push('after the call');
  t.equal(order, ['ready', 'after the call'], 'the order');
  TB.onLoad();
  t.done();
});

check('v1-loaded-twice', function (t) {
  t.frame('/v1-twice-' + at + '.html', function (page) {
    t.ok(page.TB === page.first && page.OT === page.first, 'the first stays');
    t.done();
  });
});

check('v1-both-generations', function (t) {
  t.frame('/v1-mixed-' + at + '.html', function (page) {
    t.ok(page.TB.SESSION_CONNECTED && !page.OT.SESSION_CONNECTED, 'TB is the first generation and OT the second');
    t.frame('/v1-mixed-after-' + at + '.html', function (after) {
      t.ok(after.TB.SESSION_CONNECTED && !after.OT.SESSION_CONNECTED, 'in whatever order they were loaded');
      t.get('/make-session', function (sessionId) {
        t.token(sessionId, 'publisher', function (token) {
          var old = page.TB.initSession(sessionId), young = page.OT.initSession(apiKey, sessionId);
          t.ok(old !== young, 'each has its own Session');
          t.next(old, 'sessionConnected', function (event) {
            t.equal(event.connections.length, 1, 'connections');
            t.next(old, 'connectionCreated', function (created) {
              t.wait('the other is connected', function () { return young.connection; }, function () {
                t.equal(created.connections[0].connectionId, young.connection.connectionId, 'the other one');
                old.disconnect();
                young.disconnect();
                t.done();
              });
            });
            young.connect(token);
          });
          old.connect(apiKey, token);
        });
      });
    });
  });
});

check('v1-tb-and-ot', function (t) {
  t.connected('publisher', null, function (session) {
    t.ok(OT.initSession(apiKey, session.sessionId) === session, 'OT gives the same Session');
    t.ok(TB.initSession(session.sessionId) === session, 'and so does TB');
    t.done();
  });
});

check('v1-requirements', function (t) {
  t.equal(TB.checkSystemRequirements(), TB.HAS_REQUIREMENTS, 'the answer');
  t.equal(TB.checkSystemRequirements('H264', 'aec'), 1, 'with features');
  TB.upgradeSystemRequirements();
  TB.updateSystemRequirements();
  var dialogs = document.querySelectorAll('[id=_upgradeFlash]');
  t.equal(dialogs.length, 1, 'dialogs');
  dialogs[0].getElementsByTagName('button')[0].click();
  t.equal(document.getElementById('_upgradeFlash'), null, 'the dialog after closing');
  t.done();
});

check('v1-log', function (t) {
  var printed = [];
  var box = t.box('opentok_console');
  var consoles = {};
  var methods = ['error', 'warn', 'info', 'log', 'debug'];
  for (var i = 0; i < methods.length; i++) (function (method) {
    consoles[method] = console[method];
    console[method] = function () { printed.push(method + ' ' + Array.prototype.slice.call(arguments, 1).join(' ')); };
  })(methods[i]);
  t.cleanups.push(function () {
    for (var method in consoles) console[method] = consoles[method];
    TB.setLogLevel(TB.NONE);
  });
  TB.log('unheard');
  TB.checkSystemRequirements('flux capacitor');
  t.equal(printed, [], 'what is printed by default');
  t.equal(TB.setLogLevel(TB.LOG), undefined, 'the result');
  TB.log('<b>heard</b>');
  TB.checkSystemRequirements('flux capacitor');
  TB.setLogLevel(TB.DEBUG);
  TB.setLogLevel(TB.NONE);
  TB.setLogLevel(TB.DEBUG);
  var text = printed.join('\n');
  t.ok(text.indexOf('log <b>heard</b>') >= 0 && text.indexOf('flux capacitor') >= 0, 'the lines are printed: ' + text);
  t.equal(text.split('version').length, 2, 'how often the version is told');
  var shown = document.getElementById(box);
  t.ok(shown.textContent.indexOf('<b>heard</b>') >= 0 && !shown.getElementsByTagName('b').length, 'the page shows them as text');
  t.done();
});
