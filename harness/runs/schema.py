"""The tables of a run's store, and its longer queries."""

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS problems (
    id TEXT PRIMARY KEY, prompt TEXT, entry_point TEXT, tests TEXT, solution TEXT, setup TEXT, split TEXT, stop TEXT,
    language TEXT NOT NULL DEFAULT '', base_tests TEXT NOT NULL DEFAULT '', timeout REAL NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS completions (
    problem_id TEXT, idx INTEGER, prompt TEXT, text TEXT, program TEXT, finish_reason TEXT, tokens INTEGER,
    logprob REAL, seed INTEGER, PRIMARY KEY (problem_id, idx)
);
CREATE TABLE IF NOT EXISTS tokens (
    problem_id TEXT, idx INTEGER, ids BLOB, PRIMARY KEY (problem_id, idx)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS certainties (
    problem_id TEXT, idx INTEGER, least_logprob REAL, self_certainty REAL, PRIMARY KEY (problem_id, idx)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verdicts (
    grader TEXT, problem_id TEXT, idx INTEGER, status TEXT, detail TEXT, cpu_seconds REAL, wall_seconds REAL,
    mode TEXT, PRIMARY KEY (grader, problem_id, idx)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plans (
    grader TEXT, problem_id TEXT, plan TEXT, PRIMARY KEY (grader, problem_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vectors (
    view TEXT, problem_id TEXT, idx INTEGER, row INTEGER, PRIMARY KEY (view, problem_id, idx)
) WITHOUT ROWID;
"""

COMPLETIONS = (
    "SELECT c.*, t.ids, s.least_logprob, s.self_certainty FROM completions c JOIN problems p ON p.id = c.problem_id "
    "LEFT JOIN tokens t ON t.problem_id = c.problem_id AND t.idx = c.idx "
    "LEFT JOIN certainties s ON s.problem_id = c.problem_id AND s.idx = c.idx WHERE {where} ORDER BY p.rowid, c.idx"
)
WITHOUT_VECTORS = (
    "SELECT COUNT(*) FROM completions c WHERE c.idx >= 0 AND (SELECT COUNT(*) FROM vectors v "
    "WHERE v.view IN ({shards}) AND v.problem_id = c.problem_id AND v.idx = c.idx) < ?"
)
UNGRADED = (
    "c.problem_id = ? AND NOT EXISTS "
    "(SELECT 1 FROM verdicts v WHERE v.grader = ? AND v.problem_id = c.problem_id AND v.idx = c.idx)"
)

WITHOUT_TOKEN_SCORES = (
    "NOT EXISTS (SELECT 1 FROM certainties s WHERE s.problem_id = completions.problem_id AND s.idx = completions.idx)"
)
ADD_TOKEN_SCORES = (
    "UPDATE completions SET tokens = CASE WHEN logprob IS NULL THEN ? ELSE tokens END, logprob = COALESCE(logprob, ?) "
    f"WHERE problem_id = ? AND idx = ? AND {WITHOUT_TOKEN_SCORES}"
)
