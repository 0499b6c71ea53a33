//! When a batch will be through: an estimate from what was measured, or the reason why there is none.
//!
//! Only what was never sent is estimated. What is in doubt waits for the gateway's word or for people, at no rate that
//! could be measured. Batches of one connection share its rate, and which of them goes first is not promised: the
//! answer is a span.

/// Fewer tasks than these in the last minute say nothing about a rate.
const ENOUGH: u64 = 10;
/// Shorter than that was not measured.
const SHORTEST_SECONDS: u64 = 10;
/// Beyond a day a figure of one minute is not believed.
const LONGEST_SECONDS: u64 = 24 * 3600;

/// What is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtaInput {
    /// Rows of this batch that were never sent.
    pub unsent: u64,
    /// Rows of this batch that were sent and are not finished.
    pub open: u64,
    /// Rows of all running batches of the connection that were never sent, this batch's among them.
    pub unsent_on_connection: u64,
    /// Tasks that came to an end on the connection in `seconds`.
    pub finished: u64,
    /// How long that took.
    pub seconds: u64,
    /// Requests a second that the connection is limited to.
    pub limit: Option<u32>,
    /// Requests that one row takes: 2 where its order is read first.
    pub requests_a_row: u64,
    /// For how long the gateway asked us to stay away.
    pub paused_seconds: u64,
    /// Whether the batch runs and its connection and organisation send.
    pub sending: bool,
    /// Whether the gateway does not answer now.
    pub trouble: bool,
}

/// When every row will have been sent and answered once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eta {
    /// In so many seconds: if the batch has the connection to itself, and if all others go first.
    Within {
        /// Alone.
        soonest: u64,
        /// After all others.
        latest: u64,
    },
    /// No estimate would be honest.
    Unknown(NoEta),
}

/// Why there is no estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEta {
    /// Everything was sent and is finished.
    Done,
    /// Nothing is sent.
    NotSending,
    /// The gateway does not answer.
    Trouble,
    /// Everything was sent; the rest waits for the gateway's word or for people.
    OnlyOpen,
    /// Too little was finished in the last minute.
    TooLittle,
    /// More than a day at this rate.
    TooFar,
}

impl NoEta {
    /// A sentence for people; empty when there is nothing to say.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Done => "",
            Self::NotSending => "No estimate: nothing is sent now.",
            Self::Trouble => "No estimate: the gateway does not answer now.",
            Self::OnlyOpen => {
                "No estimate: every row was sent, and the rest waits for the gateway's answer or for a person."
            }
            Self::TooLittle => "No estimate yet: too little was finished in the last minute.",
            Self::TooFar => "No estimate: more than a day at the rate of the last minute.",
        }
    }
}

impl Eta {
    /// A sentence for people: `About 4 minutes`, `Between 4 and 9 minutes`.
    pub fn text(self) -> String {
        let (soonest, latest) = match self {
            Self::Unknown(why) => return why.text().to_owned(),
            Self::Within { soonest, latest } => (rounded(soonest), rounded(latest)),
        };
        let plural = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
        match (soonest, latest) {
            ((0, _), (0, _)) => "Less than a minute".to_owned(),
            ((one, unit), two) if (one, unit) == two => format!("About {}", plural(one, unit)),
            ((0, _), (two, unit)) => format!("At most {}", plural(two, unit)),
            ((one, first), (two, second)) if first == second => format!("Between {one} and {}", plural(two, second)),
            ((one, first), (two, second)) => format!("Between {} and {}", plural(one, first), plural(two, second)),
        }
    }
}

/// Whole minutes, from two hours on whole hours; under a minute 0.
fn rounded(seconds: u64) -> (u64, &'static str) {
    match seconds {
        0..60 => (0, "minute"),
        60..7_200 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3_600), "hour"),
    }
}

/// The estimate.
pub fn estimate(known: EtaInput) -> Eta {
    let none = Eta::Unknown;
    match known {
        EtaInput { unsent: 0, open: 0, .. } => return none(NoEta::Done),
        EtaInput { sending: false, .. } => return none(NoEta::NotSending),
        EtaInput { unsent: 0, .. } => return none(NoEta::OnlyOpen),
        EtaInput { trouble: true, .. } => return none(NoEta::Trouble),
        EtaInput { finished: ..ENOUGH, .. } | EtaInput { seconds: ..SHORTEST_SECONDS, .. } => {
            return none(NoEta::TooLittle);
        }
        _ => {}
    }
    // Never faster than the limit allows: it may have been lowered since.
    let by_limit = |rows: u64| match known.limit {
        Some(limit) => rows.saturating_mul(known.requests_a_row.max(1)).div_ceil(u64::from(limit.max(1))),
        None => 0,
    };
    let by_rate = |rows: u64| rows.saturating_mul(known.seconds).div_ceil(known.finished.max(1));
    let takes = |rows: u64| by_rate(rows).max(by_limit(rows)).saturating_add(known.paused_seconds);
    let soonest = takes(known.unsent);
    let latest = takes(known.unsent_on_connection.max(known.unsent));
    if latest > LONGEST_SECONDS { none(NoEta::TooFar) } else { Eta::Within { soonest, latest } }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: EtaInput = EtaInput {
        unsent: 600,
        open: 0,
        unsent_on_connection: 600,
        finished: 60,
        seconds: 60,
        limit: None,
        requests_a_row: 2,
        paused_seconds: 0,
        sending: true,
        trouble: false,
    };

    #[test]
    fn at_the_measured_rate() {
        assert_eq!(estimate(RUNNING), Eta::Within { soonest: 600, latest: 600 });
        let half_a_minute = EtaInput { finished: 60, seconds: 30, ..RUNNING };
        assert_eq!(estimate(half_a_minute), Eta::Within { soonest: 300, latest: 300 });
        let beside_others = EtaInput { unsent_on_connection: 1_800, ..RUNNING };
        assert_eq!(estimate(beside_others), Eta::Within { soonest: 600, latest: 1_800 });
    }

    #[test]
    fn never_faster_than_the_limit_and_never_before_the_pause_is_over() {
        let lowered = EtaInput { limit: Some(1), finished: 6_000, ..RUNNING };
        assert_eq!(estimate(lowered), Eta::Within { soonest: 1_200, latest: 1_200 });
        let raised = EtaInput { limit: Some(1_000), ..RUNNING };
        assert_eq!(estimate(raised), estimate(RUNNING), "what a higher limit brings is not known yet");
        let paused = EtaInput { paused_seconds: 90, ..RUNNING };
        assert_eq!(estimate(paused), Eta::Within { soonest: 690, latest: 690 });
    }

    #[test]
    fn no_estimate_where_none_is_honest() {
        let cases = [
            (EtaInput { unsent: 0, unsent_on_connection: 0, ..RUNNING }, NoEta::Done),
            (EtaInput { sending: false, ..RUNNING }, NoEta::NotSending),
            (EtaInput { trouble: true, ..RUNNING }, NoEta::Trouble),
            (EtaInput { unsent: 0, open: 3, ..RUNNING }, NoEta::OnlyOpen),
            (EtaInput { unsent: 0, open: 3, trouble: true, ..RUNNING }, NoEta::OnlyOpen),
            (EtaInput { finished: 0, ..RUNNING }, NoEta::TooLittle),
            (EtaInput { finished: 9, ..RUNNING }, NoEta::TooLittle),
            (EtaInput { seconds: 9, ..RUNNING }, NoEta::TooLittle),
            (EtaInput { unsent: 86_401, ..RUNNING }, NoEta::TooFar),
            (EtaInput { unsent: u64::MAX, unsent_on_connection: u64::MAX, limit: Some(1), ..RUNNING }, NoEta::TooFar),
        ];
        for (known, why) in cases {
            assert_eq!(estimate(known), Eta::Unknown(why), "{known:?}");
            assert_eq!(estimate(known).text().is_empty(), why == NoEta::Done);
        }
    }

    #[test]
    fn in_words() {
        let within = |soonest, latest| Eta::Within { soonest, latest }.text();
        assert_eq!(within(5, 40), "Less than a minute");
        assert_eq!(within(5, 100), "At most 2 minutes");
        assert_eq!(within(60, 60), "About 1 minute");
        assert_eq!(within(220, 225), "About 4 minutes");
        assert_eq!(within(220, 600), "Between 4 and 10 minutes");
        assert_eq!(within(220, 3 * 3600), "Between 4 minutes and 3 hours");
        assert_eq!(within(8_000, 8_001), "About 3 hours");
    }
}
