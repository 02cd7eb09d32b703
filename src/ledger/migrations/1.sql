-- Version 1: findings as JSON, failures, minutes of metrics, counters and cursors.
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE findings (
    id TEXT PRIMARY KEY,
    occurred_at INTEGER NOT NULL,
    evidence TEXT NOT NULL,
    model_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX findings_by_time ON findings (occurred_at DESC, id DESC);
CREATE TABLE failures (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    log_group TEXT NOT NULL,
    log_stream TEXT NOT NULL,
    event_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    application TEXT NOT NULL,
    model_id TEXT NOT NULL,
    route TEXT NOT NULL,
    failure TEXT NOT NULL,
    exception TEXT NOT NULL,
    request_id TEXT,
    outcome TEXT,
    PRIMARY KEY (account_id, region, log_group, log_stream, event_id)
) WITHOUT ROWID;
CREATE TABLE minutes (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    model_id TEXT NOT NULL,
    route TEXT NOT NULL,
    metric TEXT NOT NULL,
    minute INTEGER NOT NULL,
    sum REAL NOT NULL,
    sample_count REAL NOT NULL,
    PRIMARY KEY (account_id, region, model_id, route, metric, minute)
) WITHOUT ROWID;
CREATE TABLE counters (
    name TEXT NOT NULL,
    labels TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (name, labels)
) WITHOUT ROWID;
CREATE TABLE cursors (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account_id, region, kind, name)
) WITHOUT ROWID;
