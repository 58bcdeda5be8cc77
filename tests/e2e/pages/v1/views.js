// Publishers and Subscribers: their elements, properties objects, styles, sound.

check('v1-elements', function (t) {
  t.throws(function () { TB.initPublisher(apiKey, 'no-such-element'); }, 'TB.initPublisher');
  var body = document.body.lastChild;
  var free = TB.initPublisher(apiKey);
  t.ok(/^publisher_\d+$/.test(free.id), 'the id of a new element: ' + free.id);
  t.ok(document.getElementById(free.id) === document.body.lastChild && document.body.lastChild !== body, 'at the end of the body');
  // One id for two elements, one after the other: a page's way to make a place for each stream.
  t.box('place');
  var one = TB.initPublisher(apiKey, 'place', { width: 160, height: 120 });
  t.throws(function () { TB.initPublisher(apiKey, 'place'); }, 'TB.initPublisher');
  t.box('place');
  var two = TB.initPublisher(apiKey, 'place');
  t.ok(one.id !== two.id && one.element !== two.element, 'two views in two elements');
  t.ok(document.getElementById(one.id) === one.element && document.getElementById(two.id) === two.element, 'each found by its id');
  t.equal([one.element.style.width, one.element.style.height, two.element.style.width, two.element.style.height],
    ['160px', '120px', '264px', '198px'], 'the sizes');
  var element = document.createElement('div');
  document.getElementById('stage').appendChild(element);
  var given = TB.initPublisher(apiKey, element);
  t.ok(given.id && document.getElementById(given.id) === element, 'an element object');
  var all = [free, one, two, given];
  for (var i = 0; i < all.length; i++) t.ok(all[i].destroy() === all[i], 'destroy gives the Publisher');
  t.equal([document.querySelectorAll('.OT_root').length, document.getElementById('place')], [0, null], 'what is left');
  one.destroy();
  t.done();
});

check('v1-publisher-properties', function (t) {
  var long = new Array(1002).join('x');
  t.throws(function () { TB.initPublisher(apiKey, t.box(), { name: long }); }, 'TB.initPublisher');
  t.throws(function () { TB.initPublisher(apiKey, t.box(), { data: long }); }, 'TB.initPublisher');
  var properties = { width: 'wide', height: '150', name: 'me', publishAudio: 'false', mirror: false, encodedWidth: 300,
    encodedHeight: 9999, microphoneGain: 70, reportMicLevels: true, wmode: 'window', style: { nameDisplayMode: 'off' } };
  var before = JSON.stringify(properties);
  var publisher = TB.initPublisher(apiKey, t.box(), properties);
  t.cleanups.push(function () { publisher.destroy(); });
  t.equal(JSON.stringify(properties), before, "the page's own object");
  t.equal([publisher.element.style.width, publisher.element.style.height], ['264px', '150px'], 'the size');
  t.equal([publisher.properties.name, publisher.properties.publishAudio, publisher.properties.microphoneGain],
    ['me', false, 70], 'the properties in effect');
  t.equal(publisher.getStyle('nameDisplayMode'), 'off', 'the style');
  t.equal(publisher.loaded, false, 'loaded');
  var told = [];
  publisher.addEventListener('loaded', function () { told.push('loaded'); });
  publisher.addEventListener('accessAllowed', function (event) { told.push('accessAllowed ' + event.cancelable); });
  publisher.addEventListener('resize', function () { told.push('resize'); }); // which was about Flash's dialog
  t.wait('the picture', function () { return publisher.getImgData(); }, function () {
    t.equal([told, publisher.loaded], [['loaded', 'accessAllowed true'], true], 'what was told');
    var video = publisher.element.getElementsByTagName('video')[0];
    t.equal([video.videoWidth, video.videoHeight], [320, 240], 'the picture');
    t.ok(publisher.getImgData().indexOf('iVBOR') === 0, 'getImgData is a bare PNG');
    t.ok(publisher.enableMicrophone() === publisher && publisher.disableMicrophone() === publisher, 'the older names');
    t.ok(publisher.publishVideo(false) === publisher && publisher.publishAudio(0) === publisher, 'both give the Publisher');
    t.done();
  });
});

// The user says no at first; publishing is another occasion to ask.
check('v1-asked-again', function (t) {
  var asked = 0, denied = 0, media = navigator.mediaDevices, open = media.getUserMedia;
  t.cleanups.push(function () { delete media.getUserMedia; });
  media.getUserMedia = function (wishes) {
    return ++asked === 1 ? Promise.reject(new DOMException('Permission denied', 'NotAllowedError')) : open.call(media, wishes);
  };
  t.connected('publisher', null, function (session) {
    var publisher = TB.initPublisher(apiKey, t.box(), { width: 160, height: 120 });
    t.cleanups.push(function () { publisher.destroy(); });
    publisher.addEventListener('accessDenied', function (event) {
      t.equal(event.cancelable, true, 'cancelable');
      denied++;
    });
    t.wait('the refusal is told', function () { return denied && t.exceptions.length; }, function () {
      t.equal([t.exceptions[0].code, document.getElementById(publisher.id) === publisher.element], [1500, true], 'code and element');
      t.next(session, 'streamCreated', function (event) {
        t.ok(session.getPublisherForStream(event.streams[0]) === publisher, 'it is published');
        t.equal([asked, denied, t.exceptions.length], [2, 1, 1], 'how often it was asked, refused and told');
        t.done();
      });
      t.ok(session.publish(publisher) === publisher, 'publish gives the Publisher');
    });
  });
});

check('v1-publisher-tells-no-end', function (t) {
  var told = [], types = ['streamCreated', 'streamDestroyed', 'destroyed'];
  t.connected('publisher', null, function (session) {
    t.publish(session, {}, function (publisher) {
      for (var i = 0; i < types.length; i++) publisher.addEventListener(types[i], function (what) {
        told.push(what === publisher ? 'itself' : what.type);
      });
      session.unpublish(publisher);
      t.wait('its end', function () { return !document.getElementById(publisher.id); }, function () {
        t.next(publisher, 'marker', function () { // whatever it tells of its end comes before
          t.equal(told, at === '2.0' ? ['itself'] : [], 'what the Publisher told');
          t.done();
        });
        publisher.dispatchEvent({ type: 'marker' });
      });
    });
  });
});

check('v1-style', function (t) {
  var publisher = TB.initPublisher(apiKey, t.box(), { style: { showMicButton: 'false', nonsense: 1 } });
  t.cleanups.push(function () { publisher.destroy(); });
  t.equal([publisher.getStyle('nameDisplayMode'), publisher.getStyle().buttonDisplayMode, publisher.getStyle('showSettingsButton')],
    ['auto', 'auto', true], 'the defaults');
  t.equal(publisher.getStyle('showMicButton'), false, 'a text that says false');
  var button = publisher.element.querySelector('.OT_mute');
  t.equal(button.style.display, 'none', 'the button');
  t.ok(publisher.setStyle({ showMicButton: true, nameDisplayMode: 'loud', colour: 'red' }) === publisher, 'setStyle gives the Publisher');
  t.equal([button.style.display, publisher.getStyle('nameDisplayMode'), publisher.getStyle('colour')], ['', 'auto', undefined], 'what changed');
  publisher.setStyle('backgroundImageURI', 'http://example.org/poster.png');
  t.equal(publisher.getStyle('backgroundImageURI'), 'http://example.org/poster.png', 'the background');
  publisher.setStyle('backgroundImageURI', null);
  t.done();
});

check('v1-subscriber', function (t) {
  t.connected('publisher', null, function (session) {
    t.publish(session, { name: 'seen' }, function (publisher, stream) {
      var properties = { width: 120, height: 90, subscribeToAudio: 'false', audioVolume: 30 };
      var subscriber = session.subscribe(stream, t.box(), properties);
      t.ok(subscriber.stream === stream, 'the stream');
      t.equal([subscriber.getAudioVolume(), subscriber.audioVolume], [30, 30], 'the volume');
      var free = session.subscribe(stream);
      t.equal(free.getAudioVolume(), 50, 'the default volume');
      var id = at === '0.91' ? 'subscriber_' + stream.streamId + '_1' : 'subscriber_1';
      t.equal([free.id, document.getElementById(id) === free.element], [id, true], 'the id of a new element');
      t.next(subscriber, 'loaded', function () {
        t.equal(subscriber.loaded, true, 'loaded');
        t.ok(subscriber.setAudioVolume(80) === subscriber, 'setAudioVolume gives the Subscriber');
        subscriber.setAudioVolume(800);
        t.equal(subscriber.getAudioVolume(), 100, 'the volume');
        t.equal([subscriber.enableAudio(), subscriber.disableAudio(), subscriber.subscribeToAudio(true)], [undefined, undefined, undefined], 'the results');
        t.equal([subscriber.subscribeToVideo(false), subscriber.subscribeToVideo(true)], [undefined, undefined], 'the results');
        t.ok(subscriber.setStyle('nameDisplayMode', 'on') === subscriber, 'setStyle gives the Subscriber');
        t.equal(subscriber.getStyle('nameDisplayMode'), 'on', 'the style');
        t.ok(subscriber.getImgData().indexOf('iVBOR') === 0, 'the picture');
        session.unsubscribe(subscriber);
        t.throws(function () { subscriber.setAudioVolume(10); }, 'Subscriber.setAudioVolume');
        session.unsubscribe(free);
        t.done();
      });
    });
  });
});

check('v1-microphone-levels', function (t) {
  t.connected('publisher', null, function (session) {
    t.publish(session, { reportMicLevels: true }, function (publisher, stream) {
      var subscriber = session.subscribe(stream, t.box());
      var silent = 0;
      session.addEventListener('microphoneLevelChanged', t.guard(function heard(event) {
        t.equal([event.streamId, event.streamID], [stream.streamId, stream.streamId], 'the stream');
        t.ok(event.volume >= 0 && event.volume <= 10 && Math.round(event.volume) === event.volume, 'the volume is 0 to 10');
        if (event.volume === 0 && ++silent < 30) return; // the fake microphone beeps once a second
        t.ok(event.volume > 0, 'it is heard');
        session.unsubscribe(subscriber);
        t.done();
      }));
    });
  });
});
