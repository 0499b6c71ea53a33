//! A zero without a failing mutant is no evidence: each guard is taken out, and its smallest scenario must notice.
//!
//! None of them stands in production code. A reply is misread by a connector around the connector
//! (`server/torture/misread.rs`), a guard of the database is replaced in the scratch database by statements, and what
//! is left is patched into a copy of the tree (`mutants/*.patch`). The cheap ones run with every `make test`, all with
//! `make torture-mutants`, which makes the copy.

use super::{
    business,
    deployment::Out,
    failpoints::{self, deaths, lost_commit},
    gate, poison, replicas, restored,
};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(600);

/// One test for each guard: its name, the scenario without it, and words of which one must be seen.
macro_rules! mutants {
    ($($(#[$ignored:meta])? $name:ident, $out:expr, $scenario:expr, $seen:expr;)*) => {$(
        #[test]
        $(#[$ignored])?
        fn $name() {
            let scenario: fn(Out) -> super::report::Report = $scenario;
            scenario($out).expect_caught(stringify!($name), &$seen);
        }
    )*};
}

const NO_DECISION: &str = "DO $do$ BEGIN EXECUTE regexp_replace(pg_get_functiondef('batchdesk.attempt_guard'::regproc),
    'JOIN decision d ON .*?d\\.content_sha256 = v\\.content_sha256', ''); END $do$";
const NO_HASH: &str = "DO $do$ BEGIN EXECUTE replace(pg_get_functiondef('batchdesk.attempt_guard'::regproc),
    'AND d.content_sha256 = v.content_sha256', ''); END $do$";
const NO_UNIQUE_IDS: &str =
    "CREATE OR REPLACE FUNCTION batchdesk.take_unique_ids(p_organisation uuid, p_batch uuid, p_revision smallint)
    RETURNS void LANGUAGE sql AS ''";
const NO_COUNTERS: &str = "CREATE FUNCTION batchdesk.forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.failed > OLD.failed THEN RETURN NULL; END IF; RETURN NEW; END $$;
    CREATE TRIGGER aaa_forget BEFORE UPDATE
      ON batchdesk.batch_progress FOR EACH ROW EXECUTE FUNCTION batchdesk.forget()";

/// The epoch of rows that are claimed stays as it is, so that nobody's is stale.
const NO_CHUNK_FENCE: &str = "CREATE FUNCTION batchdesk.same_epoch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                              NEW.epoch := OLD.epoch; RETURN NEW; END $$;
    CREATE TRIGGER zzz_same_epoch BEFORE UPDATE ON batchdesk.chunk FOR EACH ROW EXECUTE FUNCTION batchdesk.same_epoch()";
const NO_TASK_FENCE: &str = "CREATE FUNCTION batchdesk.same_epoch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                             NEW.epoch := OLD.epoch; RETURN NEW; END $$;
    CREATE TRIGGER zzz_same_epoch BEFORE UPDATE
      ON batchdesk.open_task FOR EACH ROW EXECUTE FUNCTION batchdesk.same_epoch()";
/// What was perhaps sent when its sender died is sent again without a question.
const ABANDONED_IS_READY: &str = "CREATE FUNCTION batchdesk.ready() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    NEW.state := 'RETRY'; NEW.run_at := now(); RETURN NEW; END $$;
    CREATE TRIGGER zzz_ready BEFORE INSERT ON batchdesk.open_task FOR EACH ROW
      WHEN (NEW.code = 'abandoned' AND NEW.state = 'UNKNOWN') EXECUTE FUNCTION batchdesk.ready()";
/// What is sent of an order is not set aside.
const NO_RESERVATION: &str = "CREATE FUNCTION batchdesk.forget_committed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    NEW.committed_minor := least(NEW.committed_minor, OLD.committed_minor); RETURN NEW; END $$;
    CREATE TRIGGER zzz_forget BEFORE UPDATE
      ON batchdesk.order_balance FOR EACH ROW EXECUTE FUNCTION batchdesk.forget_committed()";

mutants! {
    timeout_is_failed, Out::Code("timeout_is_failed"), failpoints::undisturbed, ["FAILED, and refunded"];
    amount_not_matched, Out::Code("amount_not_matched"), poison::poisoned, ["is accepted, not queued"];
    abandoned_becomes_ready, Out::Sql(ABANDONED_IS_READY), died_with_a_reply, ["refunded 2 times"];
    #[ignore = "make torture-mutants"]
    doubtful_is_sent_again, Out::Code("doubtful_is_sent_again"), failpoints::undisturbed, ["refunded 2 times"];
    #[ignore = "make torture-mutants"]
    error_500_is_failed, Out::Code("error_500_is_failed"), failpoints::undisturbed, ["FAILED, and refunded"];
    #[ignore = "make torture-mutants"]
    not_found_is_failed, Out::Code("not_found_is_failed"), failpoints::undisturbed, ["is failed, not accepted"];
    #[ignore = "make torture-mutants"]
    fresh_key, Out::Code("fresh_key"), failpoints::undisturbed, ["sent under two keys"];
    #[ignore = "make torture-mutants"]
    key_not_matched, Out::Patch("key_not_matched"), poison::poisoned, ["is accepted, not queued"];
    #[ignore = "make torture-mutants"]
    sent_before_commit, Out::Patch("sent_before_commit"), died_with_a_reply, ["refunded 2 times", "intents"];
    #[ignore = "make torture-mutants"]
    lost_intent_is_sent, Out::Patch("lost_intent_is_sent"), intent_fails, ["refunded 2 times", "intents"];
    #[ignore = "make torture-mutants"]
    no_self_fence, Out::Patch("no_self_fence"), replicas::asleep_before_the_send, ["refunded 2 times"];
    #[ignore = "make torture-mutants"]
    no_fence_in_settle, Out::Sql(NO_CHUNK_FENCE), replicas::asleep_with_a_reply, ["sending was stopped", "no stale write was refused"];
    #[ignore = "make torture-mutants"]
    no_fence_in_resolve, Out::Sql(NO_TASK_FENCE), replicas::asleep_with_an_answer, ["no stale write was refused"];
    #[ignore = "make torture-mutants"]
    older_state_is_believed, Out::Patch("older_state_is_believed"), went_back, ["refunded 2 times"];
    #[ignore = "make torture-mutants"]
    older_state_unnoticed, Out::Patch("older_state_unnoticed"), went_back, ["was not refused", "by a server on an older state"];
    #[ignore = "make torture-mutants"]
    balance_not_reserved, Out::Sql(NO_RESERVATION), business::over_refunds, ["captured"];
    #[ignore = "make torture-mutants"]
    unique_ids_not_taken, Out::Sql(NO_UNIQUE_IDS), business::racing_ids, ["2 of 2 were taken"];
    #[ignore = "make torture-mutants"]
    counters_not_moved, Out::Sql(NO_COUNTERS), business::declined, ["did not end", "the API says"];
    #[ignore = "make torture-mutants"]
    sent_without_a_decision, Out::Sql(NO_DECISION), gate::undecided, ["were sent with no decision"];
    #[ignore = "make torture-mutants"]
    sent_with_another_hash, Out::Sql(NO_HASH), gate::undecided, ["were sent with a decision for another content"];
}

fn died_with_a_reply(out: Out) -> super::report::Report {
    deaths(out, "G2 death at send.after", &["send.after"], &[1], LONG)
}

fn went_back(out: Out) -> super::report::Report {
    restored::drill("G45 restored, class Q", "Q", out)
}

fn intent_fails(out: Out) -> super::report::Report {
    lost_commit(out, "intent.before_commit")
}
