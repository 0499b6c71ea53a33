//! Exactly once, proved from outside: the real binary is started, killed, stopped and lied to, and a checker that
//! shares no code with it compares the uploaded file, the gateway's own ledger, the database, the downloaded results
//! and the counters of the API.
//!
//! Short by default; `BATCHDESK_TORTURE=full`, `long` or a number of seconds for each scenario, `BATCHDESK_SEED=n`
//! repeats a run. Each scenario prints one line of a table. `mutants` runs scenarios with one guard taken out: they
//! must fail.

#[cfg(test)]
mod torture {
    mod business;
    mod checker;
    mod client;
    mod clock;
    mod cluster;
    mod cut;
    mod database;
    mod demo;
    mod deployment;
    mod disturbed;
    mod failpoints;
    mod file;
    mod gate;
    mod kills;
    mod mutants;
    mod poison;
    mod random;
    mod refused;
    mod replicas;
    mod report;
    mod restored;
    mod run;
}
