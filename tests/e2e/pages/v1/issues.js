// Reports to the operator, in pages of the time.

check('v1-report-issue', function (t) {
  t.frame('/v1-frame-' + t.at + '.html', function (theirs) {
    var told = [];
    theirs.TB.addEventListener('issueReported', function (event) { told.push(event); });
    t.equal(theirs.TB.reportIssue('No sound <b>at all</b>'), undefined, 'what reportIssue returns');
    theirs.TB.reportIssue('Again');
    t.wait('the report is taken', function () { return told.length; }, function () {
      t.ok(/^[0-9A-F]{32}$/.test(told[0].issueId), 'an id of 32 digits');
      t.get('/issue-of?id=' + told[0].issueId, function (kept) {
        t.equal(kept.description, 'No sound <b>at all</b>', 'what the operator reads');
        t.ok(kept.statistics && kept.statistics.publishers, 'with the statistics of the client');
        t.equal(told.length, 1, 'once for a page');
        t.done();
      });
    });
  });
});

check('v1-report-issue-fails', function (t) {
  t.frame('/v1-frame-' + t.at + '.html', function (theirs) {
    theirs.TB.setServerUrl('http://localhost:9/');
    t.next(theirs.TB, 'exception', function (event) {
      t.equal([event.code, event.title], [2010, 'Report Issue Failure']);
      t.done();
    });
    theirs.TB.reportIssue('Nobody hears this');
  });
});
