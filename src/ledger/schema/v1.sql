-- A run: one call of the program that may send.
CREATE TABLE run (
    run         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,   -- as results files show it
    nonce       TEXT NOT NULL,          -- random UUID: the name space of the run's idempotency keys
    site        TEXT NOT NULL,
    version     TEXT NOT NULL,          -- of the program
    started_at  INTEGER NOT NULL,       -- Unix milliseconds, as all times here
    finished_at INTEGER,
    stopped     TEXT                    -- why it stopped early
) STRICT;

-- A stage of a run: one entity loaded through one mapping.
CREATE TABLE stage (
    run         INTEGER NOT NULL REFERENCES run,
    stage       INTEGER NOT NULL,       -- from 0, in the order of the run
    entity      TEXT NOT NULL,
    operation   TEXT NOT NULL,
    mapping     TEXT NOT NULL,          -- digest of the mapping file, hexadecimal
    results     TEXT,                   -- path of the results file
    finished_at INTEGER,
    PRIMARY KEY (run, stage)
) STRICT, WITHOUT ROWID;

-- An input file of a stage.
CREATE TABLE file (
    run    INTEGER NOT NULL,
    stage  INTEGER NOT NULL,
    file   INTEGER NOT NULL,            -- from 0, in reading order
    name   TEXT NOT NULL,
    bytes  INTEGER NOT NULL,
    digest TEXT NOT NULL,               -- xxh3-128 of the content, hexadecimal
    PRIMARY KEY (run, stage, file)
) STRICT, WITHOUT ROWID;

-- A bulk request. Body and rows are kept only while it is undecided.
CREATE TABLE batch (
    run        INTEGER NOT NULL,
    stage      INTEGER NOT NULL,
    batch      INTEGER NOT NULL,        -- from 1
    key        TEXT NOT NULL,           -- Idempotency-Key
    state      INTEGER NOT NULL,        -- 0 sending, 1 waiting for its task, 2 settled
    body       BLOB,                    -- the exact bytes that go out
    rows       TEXT,                    -- JSON: [row, file, line, key] of each item, in the body's order
    task_id    TEXT,
    trace_id   TEXT,
    sent_at    INTEGER NOT NULL,
    settled_at INTEGER,
    PRIMARY KEY (run, stage, batch)
) STRICT;

-- The one outcome of one row.
CREATE TABLE row (
    run         INTEGER NOT NULL,
    stage       INTEGER NOT NULL,
    row         INTEGER NOT NULL,       -- from 1, over all files of the stage
    file        INTEGER NOT NULL,
    line        INTEGER,
    key         TEXT NOT NULL,
    status      INTEGER NOT NULL,       -- 0 loaded, 1 unchanged, 2 rejected, 3 failed, 4 duplicate, 5 unconfirmed, 6 not_sent
    reasons     TEXT,                   -- JSON: [{code, field, message}]
    remote_id   TEXT,
    route       INTEGER,                -- 0 bulk, 1 single
    batch       INTEGER,
    attempts    INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    PRIMARY KEY (run, stage, row)
) STRICT, WITHOUT ROWID;

CREATE VIEW results AS
SELECT run.id AS run, row.row, file.name AS source, row.line, stage.entity, row.key,
       CASE row.status WHEN 0 THEN 'loaded' WHEN 1 THEN 'unchanged' WHEN 2 THEN 'rejected' WHEN 3 THEN 'failed'
                       WHEN 4 THEN 'duplicate' WHEN 5 THEN 'unconfirmed' ELSE 'not_sent' END AS status,
       stage.operation, row.reasons, row.remote_id,
       CASE row.route WHEN 0 THEN 'bulk' WHEN 1 THEN 'single' END AS route,
       row.batch, batch.task_id, batch.trace_id, row.attempts,
       strftime('%Y-%m-%dT%H:%M:%fZ', row.finished_at / 1000.0, 'unixepoch') AS finished_at
FROM row
JOIN run USING (run)
JOIN stage USING (run, stage)
JOIN file USING (run, stage, file)
LEFT JOIN batch USING (run, stage, batch);
