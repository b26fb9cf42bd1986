-- A run that did not end cannot be continued: version 1 does not say what shaped its batches. It counts as superseded,
-- and the bodies of its requests go.
INSERT INTO run (run, id, nonce, site, version, state, started_at, finished_at, stopped)
SELECT run, id, nonce, site, version, CASE WHEN finished_at IS NULL THEN 2 ELSE 1 END, started_at, finished_at, stopped
FROM run_1;

INSERT INTO stage (run, stage, entity, operation, mapping, settings, results, finished_at)
SELECT run, stage, entity, operation, mapping, '{}', results, finished_at FROM stage_1;

INSERT INTO file (part, file, name, bytes, digest)
SELECT part, file, name, bytes, digest FROM file_1 JOIN stage USING (run, stage);

INSERT INTO batch (part, batch, generation, key, state, task_id, trace_id, sent_at, settled_at)
SELECT part, batch, 0, key, state, task_id, trace_id, sent_at, settled_at FROM batch_1 JOIN stage USING (run, stage);

INSERT INTO said (part, reasons)
SELECT DISTINCT part, reasons FROM row_1 JOIN stage USING (run, stage) WHERE reasons IS NOT NULL;
CREATE INDEX said_1 ON said (part, reasons);

INSERT INTO row (part, row, file, line_offset, key, status, said, remote_id, batch, sent, finished_at)
SELECT part, row, file, line - row, key, status,
       (SELECT said FROM said WHERE said.part = stage.part AND said.reasons = row_1.reasons),
       remote_id, batch, 3 * attempts + coalesce(route + 1, 0), row_1.finished_at
FROM row_1 JOIN stage USING (run, stage) ORDER BY part, row;

DROP INDEX said_1;
DROP TABLE row_1;
DROP TABLE batch_1;
DROP TABLE file_1;
DROP TABLE stage_1;
DROP TABLE run_1;
