//! Exactly once, proved from outside: the real binary is started, killed and disturbed, and a checker that shares no code with
//! it compares the uploaded file, the gateway's own ledger, the downloaded results and the counters of the API.
//!
//! Small by default; `BATCHDESK_PROOF=full` runs the full sizes, `BATCHDESK_SEED=n` repeats a run. Each run prints one line.

#[cfg(test)]
mod proof {
    mod checker;
    mod client;
    mod demo;
    mod disturbed;
    mod file;
    mod random;
    mod refused;
    mod run;
    mod undisturbed;
}
