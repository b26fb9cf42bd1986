-- A run: one call of the program that may send.
CREATE TABLE run (
    run           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,       -- as results files show it
    nonce         TEXT NOT NULL,              -- random UUID: the name space of the run's idempotency keys
    site          TEXT NOT NULL,
    job           TEXT,                       -- what makes two runs the same job; null before version 2
    version       TEXT NOT NULL,              -- of the program
    state         INTEGER NOT NULL,           -- 0 open: can be continued, 1 finished, 2 superseded
    superseded_by TEXT,                       -- id of the run that took its place
    retry_of      TEXT,                       -- id of the run whose rows it loads again
    invocation    TEXT,                       -- JSON: the folder it was started in, and its arguments
    resumed       INTEGER NOT NULL DEFAULT 0, -- how often it was continued
    started_at    INTEGER NOT NULL,           -- Unix milliseconds, as all times here but those in pages
    finished_at   INTEGER,
    stopped       TEXT                        -- why it stopped early
) STRICT;

-- A stage of a run: one entity loaded through one mapping.
CREATE TABLE stage (
    part         INTEGER PRIMARY KEY,         -- what other tables know it by
    run          INTEGER NOT NULL REFERENCES run,
    stage        INTEGER NOT NULL,            -- from 0, in the order of the run
    entity       TEXT NOT NULL,
    operation    TEXT NOT NULL,
    mapping      TEXT NOT NULL,               -- digest of the mapping file, hexadecimal
    settings     TEXT NOT NULL,               -- JSON object: what else shapes its batches
    shape        INTEGER REFERENCES shape,    -- null: what it loads is not remembered as content
    retries      INTEGER,                     -- the stage of run.retry_of whose row numbers it uses
    source       TEXT,                        -- JSON: what opens its input again, and the types of its columns
    mapping_path TEXT,                        -- path of the mapping file, absolute
    results      TEXT,                        -- path of the results file
    rows         INTEGER,                     -- rows of the input, once it was read to its end
    counts       TEXT,                        -- JSON: rows by status, in the order of row.status; once finished
    finished_at  INTEGER,
    UNIQUE (run, stage)
) STRICT;

-- An input file of a stage.
CREATE TABLE file (
    part   INTEGER NOT NULL REFERENCES stage,
    file   INTEGER NOT NULL,                  -- from 0, in reading order
    name   TEXT NOT NULL,
    bytes  INTEGER NOT NULL,
    digest TEXT NOT NULL,                     -- xxh3-128 of the content, hexadecimal
    rows   INTEGER,                           -- its rows, once the input was read to its end
    PRIMARY KEY (part, file)
) STRICT, WITHOUT ROWID;

-- A bulk request.
CREATE TABLE batch (
    part       INTEGER NOT NULL REFERENCES stage,
    batch      INTEGER NOT NULL,              -- from 1
    generation INTEGER NOT NULL,              -- 0: what is sent under a new key is a new batch
    key        TEXT NOT NULL,                 -- Idempotency-Key
    state      INTEGER NOT NULL,              -- 0 sending, 1 waiting for its task, 2 settled
    task_id    TEXT,
    trace_id   TEXT,
    sent_at    INTEGER NOT NULL,
    settled_at INTEGER,
    attempts   INTEGER,                       -- how often it was sent, once it is settled
    PRIMARY KEY (part, batch)
) STRICT, WITHOUT ROWID;

-- What goes out with a bulk request, while it is undecided; what a row sends by single calls is under minus its number. Apart from it, so that it is written once and erased once.
CREATE TABLE body (
    part  INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    body  BLOB NOT NULL,                      -- the exact bytes, as a zstd frame
    rows  BLOB NOT NULL,                      -- JSON, as a zstd frame: [row, file, line, key] of each item, in the body's order
    PRIMARY KEY (part, batch)
) STRICT, WITHOUT ROWID;

-- What was said of rows. Rows of which the same was said share it, mostly.
CREATE TABLE said (
    said    INTEGER PRIMARY KEY,
    part    INTEGER NOT NULL REFERENCES stage,
    reasons TEXT NOT NULL                     -- JSON: [{code, field, message}]
) STRICT;

-- The one outcome of one row.
CREATE TABLE row (
    part        INTEGER NOT NULL,
    row         INTEGER NOT NULL,             -- from 1, over all files of the stage
    file        INTEGER NOT NULL,
    line_offset INTEGER,                      -- its physical line minus row: small, so that it takes no space
    key         TEXT NOT NULL,
    status      INTEGER NOT NULL,             -- 0 loaded, 1 unchanged, 2 rejected, 3 failed, 4 duplicate, 5 unconfirmed, 6 not_sent
    said        INTEGER,                      -- the reasons, where there are some
    remote_id   TEXT,
    batch       INTEGER,
    sent        INTEGER,                      -- null: as its batch; else three times how often, plus 1 for bulk, 2 for single calls
    finished_at INTEGER,                      -- null: when its batch was settled
    PRIMARY KEY (part, row)
) STRICT, WITHOUT ROWID;

-- What a stage writes: content is compared with what the same shape confirmed last.
CREATE TABLE shape (
    shape   INTEGER PRIMARY KEY,
    site    TEXT NOT NULL,
    entity  TEXT NOT NULL,
    mapping TEXT NOT NULL,                    -- digest of the mapping file, hexadecimal
    family  TEXT NOT NULL,                    -- of endpoints
    fields  TEXT NOT NULL,                    -- JSON: the names of the fields it writes
    UNIQUE (site, entity, mapping, family, fields)
) STRICT;

-- Writes that are durable here and not yet in pages: at most some 30,000 rows.
CREATE TABLE intent (
    seq      INTEGER PRIMARY KEY,             -- in the order of sending
    part     INTEGER NOT NULL REFERENCES stage,
    doubtful INTEGER NOT NULL,                -- 1: another run's request for the same keys may be applied after it
    entries  BLOB NOT NULL                    -- per row 32 bytes: row, natural key's hash, content's hash; little-endian
) STRICT;

-- A sorted map, kept in pages; see src/ledger/pages.rs. Each (site, entity) has two: the records that were
-- loaded by natural key (kind 0), and their natural keys by shown key (kind 1). Over them lie layers of changes that are
-- not merged into them yet, of the same form; see src/ledger/layers.rs.
CREATE TABLE map (
    map    INTEGER PRIMARY KEY,
    site   TEXT NOT NULL,
    entity TEXT NOT NULL,
    kind   INTEGER NOT NULL,
    layer  INTEGER NOT NULL DEFAULT 0,        -- 0: the records; else changes, older ones first
    UNIQUE (site, entity, kind, layer)
) STRICT;

CREATE TABLE page (
    page    INTEGER PRIMARY KEY,
    map     INTEGER NOT NULL REFERENCES map,
    first   BLOB NOT NULL,                    -- the first key of the page, 9 bytes
    entries BLOB NOT NULL,
    UNIQUE (map, first)
) STRICT;

-- Rows as results files show them.
CREATE VIEW results AS
SELECT run.id AS run, row.row, file.name AS source, row.row + row.line_offset AS line, stage.entity, row.key,
       CASE row.status WHEN 0 THEN 'loaded' WHEN 1 THEN 'unchanged' WHEN 2 THEN 'rejected' WHEN 3 THEN 'failed'
                       WHEN 4 THEN 'duplicate' WHEN 5 THEN 'unconfirmed' ELSE 'not_sent' END AS status,
       stage.operation, said.reasons, row.remote_id,
       CASE coalesce(row.sent % 3, 1) WHEN 1 THEN 'bulk' WHEN 2 THEN 'single' END AS route,
       row.batch, batch.task_id, batch.trace_id, coalesce(row.sent / 3, batch.attempts) AS attempts,
       strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(row.finished_at, batch.settled_at) / 1000.0, 'unixepoch') AS finished_at
FROM row
JOIN stage USING (part)
JOIN run USING (run)
JOIN file USING (part, file)
LEFT JOIN batch USING (part, batch)
LEFT JOIN said USING (said);
