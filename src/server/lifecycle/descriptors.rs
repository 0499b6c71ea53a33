//! The process's file descriptors.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Takes as many as the system allows this process, and says how many that are. Services are started with a low limit
/// that they may raise themselves.
pub fn raise() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return FEW };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(error) => {
            tracing::warn!(%error, soft, hard, "the limit of open files cannot be raised");
            soft
        }
    }
}

/// What every system allows.
const FEW: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_are_allowed_are_taken() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(raise(), hard);
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (hard, hard));
    }
}
