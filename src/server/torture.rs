//! Faults on purpose, for the tests alone: failpoints at which this process dies, stops, waits or fails, and connectors
//! that misread.
//!
//! They are in debug builds only, so that one build serves every test; in a release the macro comes to nothing, and the
//! rest is not there (`build.rs` decides, `lib.rs` refuses anything else). The processor and the acts of people name
//! their failpoints, `BATCHDESK_FAULT` says what happens there:
//!
//! ```text
//! BATCHDESK_FAULT=intent.after_commit@2=kill        die there, the second time
//! BATCHDESK_FAULT=send.after@1=delay:500,…          wait so many milliseconds; several, with commas
//! BATCHDESK_FAULT=settle.before_commit@*=error      fail, each time
//! BATCHDESK_FAULT=send.before@1=stop                stop like SIGSTOP, until somebody sends SIGCONT
//! BATCHDESK_FAULT=trace                             say each failpoint on standard error
//! ```
//!
//! `BATCHDESK_MUTANT=name` takes one guard out. A test that does not notice that proves nothing. No guard of production
//! asks for it: the connectors are put behind one who misreads them ([`misread`]), and what else is tried so is patched
//! into a copy of the tree (`tests/torture/mutants`).

/// A failpoint: `failpoint!(name, step)` where an error has nowhere to go, `failpoint!(? name, step)` where it has.
macro_rules! failpoint {
    (? $name:expr, $step:literal) => {
        #[cfg(failpoints)]
        $crate::torture::reach($name, $step).await?;
        #[cfg(not(failpoints))]
        let _ = $name;
    };
    ($name:expr, $step:literal) => {
        #[cfg(failpoints)]
        let _ = $crate::torture::reach($name, $step).await;
    };
}

#[cfg(failpoints)]
mod misread;

/// The connectors that tasks are sent through, in debug builds behind one that misreads them when it is asked to.
pub fn connectors() -> std::sync::Arc<dyn crate::processor::Connect> {
    #[cfg(failpoints)]
    return std::sync::Arc::new(misread::Misreading);
    #[cfg(not(failpoints))]
    std::sync::Arc::new(crate::processor::Connectors)
}

#[cfg(failpoints)]
pub use on::{is_out, reach};

#[cfg(failpoints)]
mod on {
    use std::{
        io::{self, Write},
        sync::{Mutex, OnceLock, PoisonError},
        time::Duration,
    };

    /// What happens at a failpoint.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Effect {
        Kill,
        Stop,
        Error,
        Delay(Duration),
    }

    #[derive(Debug)]
    struct Fault {
        failpoint: String,
        /// Which time; none for each.
        hit: Option<u32>,
        act: Effect,
    }

    #[derive(Debug, Default)]
    struct Plan {
        trace: bool,
        faults: Vec<Fault>,
    }

    /// Reads the plan. What cannot be read would be a test that tests nothing, so it ends the process.
    fn plan() -> &'static Plan {
        static PLAN: OnceLock<Plan> = OnceLock::new();
        PLAN.get_or_init(|| {
            let text = std::env::var("BATCHDESK_FAULT").unwrap_or_default();
            read(&text).unwrap_or_else(|| {
                let _ = writeln!(io::stderr(), "BATCHDESK_FAULT cannot be read: {text}");
                std::process::exit(2)
            })
        })
    }

    fn read(text: &str) -> Option<Plan> {
        let mut plan = Plan::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            if part == "trace" {
                plan.trace = true;
                continue;
            }
            let (place, act) = part.split_once('=')?;
            let (failpoint, hit) = place.split_once('@')?;
            let hit = if hit == "*" { None } else { Some(hit.parse().ok()?) };
            let act = match act.split_once(':') {
                None => match act {
                    "kill" => Effect::Kill,
                    "stop" => Effect::Stop,
                    "error" => Effect::Error,
                    _ => return None,
                },
                Some(("delay", ms)) => Effect::Delay(Duration::from_millis(ms.parse().ok()?)),
                Some(_) => return None,
            };
            plan.faults.push(Fault { failpoint: failpoint.to_owned(), hit, act });
        }
        Some(plan)
    }

    /// Which time it is that this failpoint is reached.
    fn count(failpoint: &str) -> u32 {
        static COUNTS: Mutex<Vec<(String, u32)>> = Mutex::new(Vec::new());
        let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.iter_mut().find(|(known, _)| known == failpoint) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                counts.push((failpoint.to_owned(), 1));
                1
            }
        }
    }

    /// A failpoint is reached: what is planned for it happens.
    pub async fn reach(name: &str, step: &str) -> sqlx::Result<()> {
        let plan = plan();
        if !plan.trace && plan.faults.is_empty() {
            return Ok(());
        }
        let failpoint = format!("{name}.{step}");
        let hit = count(&failpoint);
        if plan.trace {
            let _ = writeln!(io::stderr(), "torture: {failpoint} {hit}");
        }
        for fault in
            plan.faults.iter().filter(|fault| fault.failpoint == failpoint && fault.hit.is_none_or(|at| at == hit))
        {
            match fault.act {
                Effect::Kill => end(nix::sys::signal::Signal::SIGKILL),
                Effect::Stop => end(nix::sys::signal::Signal::SIGSTOP),
                Effect::Delay(time) => tokio::time::sleep(time).await,
                Effect::Error => {
                    return Err(sqlx::Error::Io(io::Error::new(
                        io::ErrorKind::ConnectionReset,
                        format!("at {failpoint}"),
                    )));
                }
            }
        }
        Ok(())
    }

    /// To this very thread: a signal to the process may be taken by another one, and this one would go on for a
    /// failpoint.
    fn end(signal: nix::sys::signal::Signal) {
        let _ = nix::sys::signal::raise(signal);
    }

    /// Whether the guard of this name is out.
    pub fn is_out(name: &str) -> bool {
        static OUT: OnceLock<Option<String>> = OnceLock::new();
        OUT.get_or_init(|| std::env::var("BATCHDESK_MUTANT").ok()).as_deref() == Some(name)
    }
}
