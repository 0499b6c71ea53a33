//! The schema as the catalogue has it, in the order of names, so that a change of it is seen as a difference of
//! `schema.sql`.

use crate::tests::support::TestState;
use sqlx::{ConnectOptions, PgConnection};
use std::{fmt::Write as _, path::Path};

/// Each line of a table: what it is sorted by, and the line. Without the bodies of functions, which stand in files of
/// their own, and without what depends on how the server was built (compression).
const TABLES: &str = "
WITH relation AS (
  SELECT c.* FROM pg_class c WHERE c.relnamespace = 'batchdesk'::regnamespace AND c.relkind IN ('r', 'p', 'v')
    AND c.relname <> '_sqlx_migrations')
SELECT c.relname::text, 1 AS part, 0 AS place,
       format('%s %s%s%s', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, c.relname,
         CASE WHEN c.relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(c.oid)
              WHEN c.relispartition THEN ' PARTITION OF ' || (SELECT i.inhparent::regclass::text FROM pg_inherits i
                WHERE i.inhrelid = c.oid)
                || ' ' || pg_get_expr(c.relpartbound, c.oid) ELSE '' END,
         coalesce(' WITH (' || array_to_string(c.reloptions, ', ') || ')', '')) AS line FROM relation c
UNION ALL
SELECT c.relname, 2, a.attnum, format('  %I %s%s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
         (SELECT ' COLLATE ' || l.collname FROM pg_collation l JOIN pg_type t ON t.oid = a.atttypid
           WHERE l.oid = a.attcollation AND l.oid <> t.typcollation),
         CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
         CASE a.attidentity WHEN 'a' THEN ' GENERATED ALWAYS AS IDENTITY' ELSE '' END,
         CASE WHEN d.adbin IS NULL THEN '' WHEN a.attgenerated = 's'
           THEN ' GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid) || ') STORED'
              ELSE ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) END)
  FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
UNION ALL
SELECT c.relname, 3, 0, '  CONSTRAINT ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
  FROM relation c JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype IN ('p', 'u', 'f', 'c')
UNION ALL
SELECT c.relname, 4, 0, '  ' || replace(pg_get_indexdef(i.indexrelid), 'batchdesk.', '')
  FROM relation c JOIN pg_index i ON i.indrelid = c.oid
    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
UNION ALL
SELECT c.relname, 5, 0, '  ROW LEVEL SECURITY' || CASE WHEN c.relforcerowsecurity THEN ' FORCED' ELSE '' END
  FROM relation c WHERE c.relrowsecurity
UNION ALL
SELECT c.relname, 6, 0, format('  POLICY %s %s FOR %s TO %s%s%s', p.policyname, p.permissive, p.cmd,
         (SELECT string_agg(r::text, ', ' ORDER BY r) FROM unnest(p.roles) AS r),
         ' USING ' || regexp_replace(p.qual, '\\s+', ' ', 'g'),
           ' WITH CHECK ' || regexp_replace(p.with_check, '\\s+', ' ', 'g'))
  FROM relation c JOIN pg_policies p ON p.schemaname = 'batchdesk' AND p.tablename = c.relname
UNION ALL
SELECT c.relname, 7, 0, '  ' || replace(pg_get_triggerdef(t.oid), 'batchdesk.', '') || CASE t.tgenabled WHEN 'O' THEN ''
  ELSE ' ' || t.tgenabled::text END
  FROM relation c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE NOT t.tgisinternal
UNION ALL
SELECT c.relname, 8, 0, format('  OWNER %s', c.relowner::regrole) FROM relation c
  WHERE c.relowner <> 'batchdesk_owner'::regrole
UNION ALL
SELECT c.relname, 9, 0, format('  GRANT %s TO %s', string_agg(g.privilege_type, ', '
  ORDER BY g.privilege_type), g.grantee)
  FROM relation c JOIN LATERAL (SELECT x.privilege_type,
    coalesce(nullif(x.grantee, 0)::regrole::text, 'PUBLIC') AS grantee FROM aclexplode(c.relacl) x
    WHERE x.grantee <> c.relowner AND x.privilege_type <> 'MAINTAIN') g ON true GROUP BY c.relname, g.grantee
UNION ALL
SELECT c.relname, 10, 0, format('  GRANT %s (%s) TO %s', g.privilege_type, string_agg(a.attname, ', '
  ORDER BY a.attnum), g.grantee)
  FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN LATERAL (SELECT x.privilege_type, coalesce(nullif(x.grantee, 0)::regrole::text, 'PUBLIC') AS grantee
    FROM aclexplode(a.attacl) x) g ON true
 GROUP BY c.relname, g.privilege_type, g.grantee
UNION ALL
SELECT c.relname, 11, 0, '  NO RIGHT FOR ITS OWNER' FROM relation c
 WHERE c.relacl IS NOT NULL AND NOT EXISTS (SELECT FROM aclexplode(c.relacl) x WHERE x.grantee = c.relowner)
ORDER BY 1, 2, 3, 4";

const ROUTINES: &str = "
SELECT format('%s %s(%s)%s %s%s%s%s%s', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE'
  ELSE 'FUNCTION' END, p.proname,
         pg_get_function_arguments(p.oid), ' RETURNS ' || pg_get_function_result(p.oid), l.lanname,
         CASE p.provolatile WHEN 'i' THEN ' IMMUTABLE' WHEN 's' THEN ' STABLE' ELSE '' END,
         CASE WHEN p.prosecdef THEN ' SECURITY DEFINER' ELSE '' END, ' SET ' || array_to_string(p.proconfig, ', '),
         CASE WHEN p.proowner <> 'batchdesk_owner'::regrole THEN ' OWNER ' || p.proowner::regrole::text ELSE '' END)
       || coalesce((SELECT E'\\n  EXECUTE ' || string_agg(coalesce(nullif(x.grantee, 0)::regrole::text, 'PUBLIC'), ', '
         ORDER BY x.grantee::regrole::text)
            FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x WHERE x.grantee <> p.proowner), '')
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace = 'batchdesk'::regnamespace
    ORDER BY p.proname, 1";

async fn dumped(connection: &mut PgConnection) -> String {
    let mut text = "-- Written by .dev/schema from the catalogue: not applied, compared by a test.\n".to_owned();
    let lines: Vec<(String, i32, i32, String)> = sqlx::query_as(TABLES).fetch_all(&mut *connection).await.unwrap();
    for (_, part, _, line) in lines {
        let gap = if part == 1 { "\n" } else { "" };
        writeln!(text, "{gap}{line}").unwrap();
    }
    text.push('\n');
    for (routine,) in sqlx::query_as::<_, (String,)>(ROUTINES).fetch_all(&mut *connection).await.unwrap() {
        writeln!(text, "{routine}").unwrap();
    }
    text
}

#[tokio::test]
async fn what_the_migrations_make_is_what_is_written_down() {
    let test = TestState::new().await;
    let mut admin = test.options.clone().options([("search_path", "batchdesk")]).connect().await.unwrap();
    let made = dumped(&mut admin).await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/schema.sql");
    if std::env::var_os("BATCHDESK_WRITE_SCHEMA").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(written.lines()).position(|(made, written)| made != written);
    let line = differs.map(|line| (line + 1, made.lines().nth(line), written.lines().nth(line)));
    assert!(
        made == written,
        "migrations/schema.sql is not what the migrations make; run .dev/schema and read what changes: {line:?}"
    );
}
