-- What policies and the defaults of columns rest on, and what every table of an organisation is given. Applied before
-- the tables.
--
-- Three kinds of tables. Global: no organisation, reached by key only. Look-up: which organisation a person or an API
-- key belongs to, before there is an organisation to set. Organisation tables: all others, row-level security enabled
-- and forced; app.organisation is set LOCAL at the head of every transaction, and without it every one of them looks
-- empty. app.person is the signed-in person: maker and checker come from it, never from a parameter. app.key is the API
-- key, where a program calls.

-- Wrapped in (SELECT ...) in every policy: evaluated once a statement, not once a row.
CREATE OR REPLACE FUNCTION current_organisation() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.organisation', true), '')::uuid $$;
CREATE OR REPLACE FUNCTION current_person() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.person', true), '')::uuid $$;

-- The API key that the session is of. It is nobody's person: it makes batches and decides on none.
CREATE OR REPLACE FUNCTION current_key() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.key', true), '')::uuid $$;

-- Makes a table an organisation's: its rows are seen and written by that organisation alone, by its owner too.
CREATE OR REPLACE PROCEDURE of_organisation(p_table regclass, p_column name DEFAULT 'organisation_id')
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %1$s ENABLE ROW LEVEL SECURITY; ALTER TABLE %1$s FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant ON %1$s TO batchdesk_web, batchdesk_worker, batchdesk_owner
      USING (%2$I = (SELECT current_organisation())) WITH CHECK (%2$I = (SELECT current_organisation()))',
    p_table, p_column);
END $$;

-- Lets the functions of lanes.sql look across organisations, as far as columns are granted. Asked by name, not by
-- membership: the owner is a member of the scheduler (it hands functions over) and must not see through this.
CREATE OR REPLACE PROCEDURE seen_by_scheduler(p_table regclass) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE POLICY lanes ON %s FOR SELECT TO batchdesk_scheduler
      USING ((SELECT current_user = ''batchdesk_scheduler''))', p_table);
END $$;

GRANT EXECUTE ON FUNCTION current_organisation(), current_person(), current_key()
  TO batchdesk_web, batchdesk_worker, batchdesk_scheduler;
