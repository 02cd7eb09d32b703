-- Version 3: small rows. What repeats (names, log groups, prices) is written once in `texts`, request ids that are
-- UUIDs as their 16 bytes, and metrics also by intervals that outlive their minutes. New: what was read when
-- (`coverage`) and how the sources were doing (`source_states`).
CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE cells (id INTEGER PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, UNIQUE (account_id, region));
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    cell INTEGER NOT NULL,
    model INTEGER NOT NULL,
    route INTEGER NOT NULL,
    metric INTEGER NOT NULL,
    UNIQUE (cell, model, route, metric)
);

DROP INDEX findings_by_time;
ALTER TABLE findings RENAME TO findings_2;
CREATE TABLE findings (
    seq INTEGER PRIMARY KEY,
    cell INTEGER NOT NULL,
    -- The 16 bytes of a request id that is a UUID; of any other finding, its id as text.
    request NOT NULL,
    request_id TEXT,
    model INTEGER NOT NULL,
    route INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    -- 1 confirmed, 2 probable, 3 estimated; 0 was taken back and is not listed.
    grade INTEGER NOT NULL,
    evidence INTEGER NOT NULL,
    probability REAL NOT NULL,
    failure INTEGER NOT NULL,
    cause INTEGER NOT NULL,
    operation INTEGER,
    application INTEGER,
    identity INTEGER,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    cost_usd REAL,
    price INTEGER,
    revision INTEGER NOT NULL,
    client_group INTEGER,
    client_stream INTEGER,
    client_event TEXT,
    client_at INTEGER,
    record_group INTEGER,
    record_stream INTEGER,
    record_event TEXT,
    record_at INTEGER,
    retry_of,
    UNIQUE (cell, request)
);
CREATE INDEX findings_by_time ON findings (grade, occurred_at);
CREATE INDEX findings_by_model ON findings (model, grade, occurred_at);

INSERT OR IGNORE INTO cells (account_id, region)
    SELECT body ->> 'account_id', body ->> 'aws_region' FROM findings_2
    UNION SELECT account_id, region FROM failures
    UNION SELECT account_id, region FROM minutes;
INSERT OR IGNORE INTO texts (text)
    SELECT value FROM findings_2, json_each(json_array(
        body ->> 'model_id', body ->> 'route', body ->> 'evidence', body ->> 'failure', body ->> 'cause',
        body ->> 'operation', body ->> 'application', body ->> 'identity', body -> 'price',
        body ->> '$.client_log.group', body ->> '$.client_log.stream',
        body ->> '$.invocation_log.group', body ->> '$.invocation_log.stream'
    )) WHERE value IS NOT NULL AND value <> 'null'
    UNION SELECT model_id FROM failures UNION SELECT route FROM failures UNION SELECT failure FROM failures
    UNION SELECT exception FROM failures UNION SELECT application FROM failures UNION SELECT log_group FROM failures
    UNION SELECT log_stream FROM failures UNION SELECT outcome FROM failures WHERE outcome IS NOT NULL
    UNION SELECT model_id FROM minutes UNION SELECT route FROM minutes UNION SELECT metric FROM minutes;
INSERT INTO findings
    SELECT NULL,
        (SELECT id FROM cells WHERE account_id = body ->> 'account_id' AND region = body ->> 'aws_region'),
        coalesce(uuid, findings_2.id),
        CASE WHEN uuid IS NULL THEN body ->> 'request_id' END,
        (SELECT id FROM texts WHERE text = body ->> 'model_id'),
        (SELECT id FROM texts WHERE text = body ->> 'route'),
        occurred_at,
        CASE evidence WHEN 'confirmed' THEN 1 WHEN 'probable' THEN 2 ELSE 3 END,
        (SELECT id FROM texts WHERE text = evidence),
        body ->> 'probability',
        (SELECT id FROM texts WHERE text = body ->> 'failure'),
        (SELECT id FROM texts WHERE text = body ->> 'cause'),
        (SELECT id FROM texts WHERE text = body ->> 'operation'),
        (SELECT id FROM texts WHERE text = body ->> 'application'),
        (SELECT id FROM texts WHERE text = body ->> 'identity'),
        body ->> 'input_tokens', body ->> 'output_tokens', body ->> 'cache_read_tokens', body ->> 'cache_write_tokens',
        body ->> 'cost_usd',
        (SELECT id FROM texts WHERE text = body -> 'price'),
        revision,
        (SELECT id FROM texts WHERE text = body ->> '$.client_log.group'),
        (SELECT id FROM texts WHERE text = body ->> '$.client_log.stream'),
        body ->> '$.client_log.event_id',
        CAST(round(unixepoch(body ->> '$.client_log.at', 'subsec') * 1000) AS INTEGER),
        (SELECT id FROM texts WHERE text = body ->> '$.invocation_log.group'),
        (SELECT id FROM texts WHERE text = body ->> '$.invocation_log.stream'),
        body ->> '$.invocation_log.event_id',
        CAST(round(unixepoch(body ->> '$.invocation_log.at', 'subsec') * 1000) AS INTEGER),
        body ->> 'retry_of'
    FROM (
        SELECT *, CASE
            -- Only the form that reads back as it was: lower case, with its hyphens.
            WHEN request GLOB '????????-????-????-????-????????????' AND NOT replace(request, '-', '') GLOB '*[^0-9a-f]*'
                AND id = (body ->> 'account_id') || ':' || (body ->> 'aws_region') || ':' || request
            THEN unhex(replace(request, '-', '')) END AS uuid
        FROM (SELECT *, body ->> 'request_id' AS request FROM findings_2)
    ) AS findings_2 ORDER BY occurred_at;
DROP TABLE findings_2;

ALTER TABLE failures RENAME TO failures_2;
CREATE TABLE failures (
    cell INTEGER NOT NULL,
    log_group INTEGER NOT NULL,
    log_stream INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    application INTEGER NOT NULL,
    model INTEGER NOT NULL,
    route INTEGER NOT NULL,
    failure INTEGER NOT NULL,
    exception INTEGER NOT NULL,
    request_id TEXT,
    attempts INTEGER,
    elapsed_seconds REAL,
    outcome INTEGER,
    PRIMARY KEY (cell, log_group, log_stream, event_id)
) WITHOUT ROWID;
CREATE INDEX failures_by_time ON failures (at);
INSERT INTO failures
    SELECT (SELECT id FROM cells WHERE cells.account_id = old.account_id AND cells.region = old.region),
        (SELECT id FROM texts WHERE text = log_group), (SELECT id FROM texts WHERE text = log_stream), event_id, at,
        (SELECT id FROM texts WHERE text = application), (SELECT id FROM texts WHERE text = model_id),
        (SELECT id FROM texts WHERE text = route), (SELECT id FROM texts WHERE text = failure),
        (SELECT id FROM texts WHERE text = exception), request_id, NULL, NULL,
        (SELECT id FROM texts WHERE text = outcome)
    FROM failures_2 AS old;
DROP TABLE failures_2;

INSERT INTO series (cell, model, route, metric)
    SELECT DISTINCT
        (SELECT id FROM cells WHERE cells.account_id = old.account_id AND cells.region = old.region),
        (SELECT id FROM texts WHERE text = model_id), (SELECT id FROM texts WHERE text = route),
        (SELECT id FROM texts WHERE text = metric)
    FROM minutes AS old;
ALTER TABLE minutes RENAME TO minutes_2;
CREATE TABLE minutes (
    series INTEGER NOT NULL,
    minute INTEGER NOT NULL,
    sum REAL NOT NULL,
    sample_count REAL NOT NULL,
    PRIMARY KEY (series, minute)
) WITHOUT ROWID;
INSERT INTO minutes
    SELECT (SELECT id FROM series
            WHERE cell = (SELECT id FROM cells WHERE cells.account_id = old.account_id AND cells.region = old.region)
            AND model = (SELECT id FROM texts WHERE text = model_id)
            AND route = (SELECT id FROM texts WHERE text = old.route)
            AND metric = (SELECT id FROM texts WHERE text = old.metric)),
        minute, sum, sample_count
    FROM minutes_2 AS old;
DROP TABLE minutes_2;
-- Percentiles are the largest of the interval's minutes.
CREATE TABLE intervals (
    series INTEGER NOT NULL,
    start INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    sum REAL NOT NULL,
    sample_count REAL NOT NULL,
    p50 REAL,
    p90 REAL,
    p99 REAL,
    PRIMARY KEY (series, start)
) WITHOUT ROWID;
INSERT INTO intervals
    SELECT series, minute - minute % 300, 300, sum(sum), sum(sample_count), NULL, NULL, NULL
    FROM minutes GROUP BY 1, 2;

-- Every event of [since, until) was read.
CREATE TABLE coverage (
    cell INTEGER NOT NULL,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (cell, source, name, since)
) WITHOUT ROWID;
-- From `since` until at least `until` the source was in this state.
CREATE TABLE source_states (
    cell INTEGER NOT NULL,
    source TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (cell, source, since)
) WITHOUT ROWID;
