-- SPDX-License-Identifier: MIT
CREATE TABLE t(a INTEGER PRIMARY KEY, b INTEGER, c TEXT);
BEGIN;
WITH RECURSIVE g(x, y) AS (SELECT 1, 12345 UNION ALL SELECT x + 1, (y * 1103515245 + 12345) % 2147483648 FROM g WHERE x < 30000)
INSERT INTO t SELECT x, y, 'row ' || y || ' ' || hex(x * y) FROM g;
COMMIT;
SELECT count(*), sum(b) % 1000003 FROM t;
CREATE INDEX i1 ON t(b);
CREATE INDEX i2 ON t(c);
SELECT count(*) FROM t WHERE c LIKE '%777%';
SELECT b % 97 AS k, count(*), max(c) FROM t GROUP BY k ORDER BY 2 DESC, 1 LIMIT 5;
SELECT sum(x.b % 10) FROM t x JOIN t y ON x.b = y.b WHERE x.a % 3 = 0;
UPDATE t SET c = c || 'z', b = b + 1 WHERE a % 5 = 0;
DELETE FROM t WHERE b % 7 = 3;
CREATE TABLE u AS SELECT a, b, c FROM t ORDER BY c DESC;
SELECT count(*), sum(length(c)) FROM u;
SELECT a, substr(c, 1, 12) FROM t ORDER BY b DESC LIMIT 10;
WITH RECURSIVE f(n, a, b) AS (SELECT 1, 0, 1 UNION ALL SELECT n + 1, b, (a + b) % 1000007 FROM f WHERE n < 30000) SELECT sum(a) FROM f;
PRAGMA integrity_check;
